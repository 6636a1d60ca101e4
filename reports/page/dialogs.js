// Where a number is from: the record's entry, protocol, hashes, versions, and the record itself.

function open(dialog) {
  dialog.showModal();
  dialog.scrollTop = 0;
}

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

function shortly(value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.map(shortly).join(", ");
  if (typeof value === "object") {
    return Object.entries(value).map(([name, part]) => `${name}: ${shortly(part)}`).join("; ");
  }
  return String(value);
}

function facts(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) {
    if (value !== undefined && value !== "") list.append(element("dt", {}, name), element("dd", {}, shortly(value)));
  }
  return list;
}

// Of the toolkit: metrics and a protocol. Of a benchmark: a cell with values.
function told(path, name) {
  const record = whole(data.records[path]);
  const entry = (record.metrics ?? record.values ?? record.columns ?? {})[name] ?? {};
  const metric = entry.metric ?? record.provenance?.metrics?.[name] ?? {};
  const place = record.environment ?? record.provenance ?? {};
  const title = element("h3", {}, element("code", {}, `${path}#${name}`));
  return [title, facts([
    ["value", entry.value],
    ["interval", entry.low === null || entry.low === undefined ? undefined : `${entry.low} to ${entry.high}`],
    ["interval by", entry.interval],
    ["n", entry.n],
    ["failed", record.error?.sentence],
    ["lacks", entry.missing],
    ["made of", record.dimensions],
    ["metric", metric.name && `${metric.name}, version ${metric.version}`],
    ["variant", metric.variant],
    ["weights", metric.weights && Object.keys(metric.weights).length ? metric.weights : undefined],
    ["protocol", record.protocol ?? record.provenance?.protocol],
    ["frames", record.frames],
    ["cell", record.cell],
    ["data", record.dataset ?? record.provenance?.dataset],
    ["system", record.described ?? record.provenance?.system],
    ["seed", record.seed ?? record.seeds ?? record.provenance?.seed],
    ["predictions", record.predictions_sha256 ?? record.provenance?.predictions_sha256],
    ["commit", place.commit],
    ["packages", place.packages],
    ["machine", place.machine],
  ]), element("details", {}, element("summary", {}, "the whole record, but for long lists"),
    element("pre", {}, JSON.stringify(record, null, 2)))];
}

function showProvenance(heading, cell, block) {
  byId("provenance-title").textContent = heading;
  const body = byId("provenance-body");
  const text = [cell.text, cell.interval].filter(Boolean).join(" ");
  const many = cell.origin.length > 1 ? `, from ${cell.origin.length} records` : "";
  body.replaceChildren(element("p", {}, element("strong", {}, text), many),
    element("p", { class: "hint" }, "Made by ", element("code", {}, block.command),
      ...block.again.flatMap((options) => [", and again with ", element("code", {}, options)])));
  for (const origin of cell.origin) {
    const [path, name] = origin.split("#");
    body.append(...told(path, name));
  }
  open(byId("provenance"));
}

function showNumbers(figure) {
  byId("provenance-title").textContent = figure.title;
  byId("provenance-body").replaceChildren(
    element("p", { class: "hint" }, "The plotted numbers. Made by ", element("code", {}, figure.command)),
    element("pre", {}, figure.numbers));
  open(byId("provenance"));
}
