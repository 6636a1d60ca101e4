"""Every metric against an independent implementation, on inputs made from seeds, with its tolerance.

``python -m eval calibrate`` measures all rows and writes ``record.json`` and the table in ``eval/README.md``. Weights
that cannot be shipped are replaced by seeded random ones, put into both implementations alike: equal numbers then prove
resizing, value range, architecture, layer and algebra, which is all that code can get wrong. That the published weight
file is the right one, its hash proves.

Read ``rows`` first; ``pixels``, ``perceptual``, ``images``, ``videos`` and ``algebra`` hold the comparisons.
"""
