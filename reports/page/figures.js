// Figures: a grid, and one of them at a time as large as one likes.

const zoom = { scale: 1, dragged: null };

function makeFigures() {
  for (const figure of data.figures) {
    const source = pictures[figure.name];
    const image = element("img", { src: source, alt: figure.title, loading: "lazy" });
    const label = `${figure.title}: enlarge`;
    byId("figure-list").append(element("figure", { id: figure.name },
      element("button", { type: "button", "aria-label": label, onclick: () => enlarge(figure, source) }, image),
      element("figcaption", {}, figure.title,
        element("button", { type: "button", onclick: () => showNumbers(figure) }, "numbers"))));
  }
}

function enlarge(figure, source) {
  byId("zoom-title").textContent = figure.title;
  byId("zoom-image").src = source;
  byId("zoom-image").alt = figure.title;
  setScale(1);
  open(byId("zoom"));
}

// Keeps the point under (x, y), from the view's corner, where it is.
function setScale(scale, x, y) {
  const view = byId("zoom-view");
  const before = zoom.scale;
  zoom.scale = Math.min(8, Math.max(1, scale));
  byId("zoom-image").style.width = `${100 * zoom.scale}%`;
  byId("scale").textContent = `${Math.round(100 * zoom.scale)} %`;
  const left = x ?? view.clientWidth / 2, top = y ?? view.clientHeight / 2;
  view.scrollLeft = (view.scrollLeft + left) * zoom.scale / before - left;
  view.scrollTop = (view.scrollTop + top) * zoom.scale / before - top;
}

function watchZoom() {
  const view = byId("zoom-view");
  byId("larger").addEventListener("click", () => setScale(zoom.scale * 1.5));
  byId("smaller").addEventListener("click", () => setScale(zoom.scale / 1.5));
  byId("fit").addEventListener("click", () => setScale(1));
  byId("zoom").addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") setScale(zoom.scale * 1.5);
    if (event.key === "-") setScale(zoom.scale / 1.5);
    if (event.key === "0") setScale(1);
  });
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = view.getBoundingClientRect();
    setScale(zoom.scale * Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  view.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") {
      zoom.dragged = { x: event.clientX + view.scrollLeft, y: event.clientY + view.scrollTop };
      view.setPointerCapture(event.pointerId);
    }
  });
  view.addEventListener("pointermove", (event) => {
    if (zoom.dragged) view.scrollTo(zoom.dragged.x - event.clientX, zoom.dragged.y - event.clientY);
  });
  view.addEventListener("pointerup", () => { zoom.dragged = null; });
  byId("zoom-image").addEventListener("dragstart", (event) => event.preventDefault());
}
