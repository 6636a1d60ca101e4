// Clips as cards: the truth and every system, each a canvas that shows one frame at a time.

const decoded = new Map();  // name of a sheet -> promise of its picture
const maps = new Map();     // difference maps, by clip, system, frame and gain

function sheet(name) {
  if (!decoded.has(name)) {
    const image = new Image();
    image.src = sheets[name];
    decoded.set(name, image.decode().then(() => image));
  }
  return decoded.get(name);
}

// A card knows how to show a frame of its clip.
class Card {
  constructor(set, clip) {
    this.set = set;
    this.clip = clip;
    this.views = ["truth", ...set.systems].map((system) => this.view(system));
    const tags = clip.tags.length ? element("span", {}, clip.tags.join(", ")) : "";
    this.node = element("article", { class: "clip", "data-clip": clip.clip },
      element("h3", {}, clip.clip, tags),
      element("div", { class: "systems" }, ...this.views.map((view) => view.node)));
  }

  view(system) {
    const [height, width] = this.set.size;
    const made = system === "truth" ? { sheet: this.clip.truth } : this.clip.systems[system];
    const canvas = element("canvas", { width, height, role: "img" });
    const score = element("div", { class: "scores" });
    const caption = element("figcaption", {}, element("b", {}, system), score);
    const absent = !made || !(made.sheet in sheets);
    const shown = absent ? element("div", { class: "absent" }, "frames not kept") : canvas;
    const node = element("figure", { "data-system": system }, shown, caption);
    return { system, made, canvas, score, node, absent, paint: canvas.getContext("2d") };
  }

  words(scores) {
    return Object.entries(this.set.metrics)
      .map(([name, metric]) => `${metric.label} ${scores[name].toFixed(metric.decimals)}`).join(", ");
  }

  // Of the whole clip, and of the frame that is shown.
  table(made, scores) {
    const cell = (text) => element("span", {}, text);
    const rows = Object.entries(this.set.metrics).flatMap(([name, metric]) => [cell(metric.label),
      cell(made.scores[name].toFixed(metric.decimals)), cell(scores ? scores[name].toFixed(metric.decimals) : "given")]);
    return [cell(""), cell("clip"), cell("frame"), ...rows];
  }

  // Shows the frame that stands at `step` of the clip's places.
  async show(state) {
    const { step } = state;
    const place = this.set.places[step];
    const given = this.set.given.includes(place);
    const made = this.set.places.filter((p) => !this.set.given.includes(p)).indexOf(place);
    const truth = await sheet(this.clip.truth);
    for (const view of this.views) {
      view.node.classList.toggle("given", given);
      const scores = view.made?.frames && !given
        ? Object.fromEntries(Object.entries(view.made.frames).map(([name, all]) => [name, all[made]])) : null;
      if (view.made?.scores) view.score.replaceChildren(...this.table(view.made, scores));
      const what = `${view.system}, frame ${place}${given ? ", given" : ""}${scores ? `, ${this.words(scores)}` : ""}`;
      if (view.absent) continue;
      const own = view.system === "truth" || given ? [truth, step] : [await sheet(view.made.sheet), made];
      if (state.step !== step) return;  // another frame was asked for meanwhile
      this.draw(view, own, [truth, step], state);
      view.canvas.setAttribute("aria-label", state.difference ? `difference of ${what}` : what);
    }
  }

  draw(view, [image, number], [truth, step], state) {
    const { width, height } = view.canvas;
    if (state.difference && view.system !== "truth") {
      const key = [this.set.name, this.clip.clip, view.system, step, state.gain].join(" ");
      if (!maps.has(key)) maps.set(key, differenceMap(image, number, truth, step, width, height, state.gain));
      view.paint.putImageData(maps.get(key), 0, 0);
    } else {
      view.paint.drawImage(image, number * width, 0, width, height, 0, 0, width, height);
    }
  }
}

const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function pixels(image, number, width, height) {
  scratch.canvas.width = width;
  scratch.canvas.height = height;
  scratch.drawImage(image, number * width, 0, width, height, 0, 0, width, height);
  return scratch.getImageData(0, 0, width, height);
}

// Absolute difference, mean over channels, times a gain, from black over red and yellow to white.
function differenceMap(image, number, truth, step, width, height, gain) {
  const ours = pixels(image, number, width, height), theirs = pixels(truth, step, width, height).data;
  const into = ours.data;
  for (let i = 0; i < into.length; i += 4) {
    const sum = Math.abs(into[i] - theirs[i]) + Math.abs(into[i + 1] - theirs[i + 1])
      + Math.abs(into[i + 2] - theirs[i + 2]);
    const value = Math.min(1, gain * sum / 765);
    into[i] = 255 * Math.min(1, 2.2 * value);
    into[i + 1] = 255 * Math.min(1, Math.max(0, 2.2 * value - 0.8));
    into[i + 2] = 255 * Math.min(1, Math.max(0, 3 * value - 2) + (value < 0.25 ? 1.2 * value : 0.3 * (1 - value)));
  }
  return ours;
}
