"""One HTML page that holds the whole report: no server, no network, one file."""
