// What the page knows: JSON inside it. Parts that several records share stand once, as {"$": number} elsewhere.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const sheets = read("sheets");
const pictures = read("pictures");

function whole(value) {
  if (Array.isArray(value)) return value.map(whole);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ === "number") return whole(data.shared[value.$]);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, whole(part)]));
}

// An element: element("td", {class: "x", onclick: f}, "text", child, ...)
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== ""));
  return made;
}

const byId = (id) => document.getElementById(id);
const announce = (text) => { byId("announce").textContent = text; };
