// Tables: blocks that may be sorted, each by itself; what is missing stays last.

function makeTables() {
  for (const table of data.tables) {
    byId("table-links").append(element("a", { href: `#${table.name}` }, table.title));
    const section = element("article", { id: table.name }, element("h3", {}, table.title));
    for (const block of table.blocks) section.append(makeBlock(block));
    for (const note of table.notes) section.append(element("p", { class: "hint" }, note));
    byId("table-list").append(section);
  }
}

function makeBlock(block) {
  const rows = block.rows.map((row) => makeRow(row, block));
  const body = element("tbody", {}, ...rows);
  const heads = block.columns.map((column, number) => {
    const head = element("th", { scope: "col", "aria-sort": "none" });
    head.append(element("button", { type: "button", onclick: () => sort(block, number, body, rows, heads) },
      column.heading));
    return head;
  });
  const labels = block.labels.map((label) => element("th", { scope: "col", class: "label" }, label));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...labels, ...heads)), body);
  const title = element("p", {}, block.title);
  if (block.reported) title.append(" ", element("span", { class: "tag" }, "as reported"));
  const view = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": block.title }, table);
  return element("div", { class: block.reported ? "block reported" : "block" }, title, view,
    element("p", { class: "origin" }, block.origin.replaceAll("`", "")));
}

function makeRow(row, block) {
  const labels = row.labels.map((label, number) =>
    element(number ? "td" : "th", number ? { class: "label" } : { scope: "row" }, label));
  const cells = row.cells.map((cell, number) => {
    const heading = `${row.labels.join(", ")}: ${block.columns[number].heading}`;
    return makeCell(cell, block, heading);
  });
  return element("tr", {}, ...labels, ...cells);
}

function makeCell(cell, block, heading) {
  const value = cell.best ? element("strong", {}, cell.text) : cell.text;
  const parts = [value, cell.tied ? element("b", { class: "tied" }, "≈") : "",
    cell.interval ? element("small", {}, cell.interval) : ""];
  if (!cell.origin) {
    const missing = cell.text === "–" && !block.reported;
    return element("td", missing ? { class: "none", title: `missing: ${block.command}` } : {}, ...parts);
  }
  const show = () => showProvenance(heading, cell, block);
  const label = `${heading}: ${cell.text}; where it is from`;
  return element("td", {}, element("button", { type: "button", class: "cell", onclick: show, "aria-label": label },
    ...parts));
}

// Best first, then worst first, then as it was.
function sort(block, number, body, rows, heads) {
  const first = block.columns[number].better === "higher" ? "descending" : "ascending";
  const second = first === "ascending" ? "descending" : "ascending";
  const now = heads[number].getAttribute("aria-sort");
  const next = now === "none" ? first : now === first ? second : "none";
  heads.forEach((head) => head.setAttribute("aria-sort", "none"));
  heads[number].setAttribute("aria-sort", next);
  const order = rows.map((row, place) => ({ row, place, value: block.rows[place].cells[number].value }));
  const sign = next === "ascending" ? 1 : -1;
  if (next !== "none") {
    order.sort((a, b) => {
      if (a.value === undefined || b.value === undefined) {
        return (a.value === undefined) - (b.value === undefined) || a.place - b.place;
      }
      return sign * (a.value - b.value) || a.place - b.place;
    });
  }
  body.replaceChildren(...order.map((entry) => entry.row));
  announce(next === "none" ? "not sorted" : `sorted by ${block.columns[number].heading}, ${next}`);
}
