// Begin. Colours follow the system until they are chosen.

const THEMES = { auto: ["◐ auto", "as the system"], light: ["○ light", "light"], dark: ["● dark", "dark"] };

function setTheme(name) {
  if (name === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", name);
  byId("theme").textContent = THEMES[name][0];
  byId("theme").setAttribute("aria-label", `Colours: ${THEMES[name][1]}`);
  byId("theme").value = name;
}

byId("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(byId("theme").value) + 1) % names.length]);
});
setTheme("auto");
makeTables();
makeFigures();
watchZoom();
makePlayer();
document.documentElement.setAttribute("data-ready", "");
