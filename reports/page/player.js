// The player: one time for all clips that are shown; which clips, and in what order.

const state = { set: null, cards: [], step: 0, playing: false, difference: false, gain: 4, last: 0 };
const seen = new Set();  // cards on the screen; only they are drawn

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const card = state.cards.find((one) => one.node === target);
    if (!card) continue;
    if (isIntersecting) seen.add(card);
    else seen.delete(card);
    if (isIntersecting) card.show(state);
  }
}, { rootMargin: "300px" });

function makePlayer() {
  if (!data.sets.length) {
    byId("player").hidden = true;
    byId("shown").textContent = "No frames were here when this page was built: tox -e report makes them.";
    return;
  }
  data.sets.forEach((set, number) => byId("set").append(element("option", { value: number }, set.title)));
  byId("set").addEventListener("change", () => choose(data.sets[byId("set").value]));
  for (const id of ["find", "order", "system", "metric", "count"]) byId(id).addEventListener("input", arrange);
  byId("frame").addEventListener("input", () => { stop(); go(Number(byId("frame").value)); });
  byId("back").addEventListener("click", () => { stop(); go(state.step - 1); });
  byId("forward").addEventListener("click", () => { stop(); go(state.step + 1); });
  byId("play").addEventListener("click", () => (state.playing ? stop() : play()));
  byId("difference").addEventListener("click", toggleDifference);
  byId("gain").addEventListener("input", () => { state.gain = Number(byId("gain").value); go(state.step); });
  byId("clips").addEventListener("keydown", keys);
  byId("clips").tabIndex = -1;
  choose(data.sets[0]);
}

function choose(set) {
  state.set = set;
  const systems = set.systems.map((name) => element("option", {}, name));
  byId("system").replaceChildren(...systems);
  if (set.systems.includes("mardini")) byId("system").value = "mardini";
  byId("metric").replaceChildren(...Object.entries(set.metrics)
    .map(([name, metric]) => element("option", { value: name }, metric.label)));
  byId("frame").max = set.places.length - 1;
  state.step = 0;
  maps.clear();
  arrange();
}

// Clips that fit what is looked for, in the order that is asked for.
function arrange() {
  const { set } = state;
  const words = byId("find").value.trim().toLowerCase();
  const order = byId("order").value, system = byId("system").value, metric = byId("metric").value;
  let clips = set.clips.filter((clip) => [clip.clip, ...clip.tags].some((text) => text.toLowerCase().includes(words)));
  if (order !== "name") {
    const sign = (order === "worst") === set.metrics[metric].higher ? 1 : -1;
    const value = (clip) => clip.systems[system]?.scores[metric] ?? Infinity * sign;
    clips = [...clips].sort((a, b) => sign * (value(a) - value(b)) || (a.clip < b.clip ? -1 : 1));
  }
  const count = Number(byId("count").value);
  if (count) clips = clips.slice(0, count);
  watcher.disconnect();
  seen.clear();
  state.cards = clips.map((clip) => new Card(set, clip));
  byId("clip-list").replaceChildren(...state.cards.map((card) => card.node));
  state.cards.forEach((card) => watcher.observe(card.node));
  const others = set.left_out.length ? `; in the tables alone: ${set.left_out.join(", ")}` : "";
  byId("shown").textContent =
    `${clips.length} of ${set.clips.length} clips; scores: ${set.name}/*/clips.jsonl${others}`;
  go(state.step);
}

function go(step) {
  const count = state.set.places.length;
  state.step = (step + count) % count;
  const place = state.set.places[state.step];
  byId("frame").value = state.step;
  byId("place").textContent = `frame ${place}${state.set.given.includes(place) ? ", given" : ""}`;
  for (const card of seen) card.show(state);
}

function play() {
  state.playing = true;
  byId("play").textContent = "Pause";
  byId("play").setAttribute("aria-pressed", "true");
  state.last = performance.now();
  requestAnimationFrame(tick);
}

function stop() {
  state.playing = false;
  byId("play").textContent = "Play";
  byId("play").setAttribute("aria-pressed", "false");
}

function tick(now) {
  if (!state.playing) return;
  const wait = 1000 / Number(byId("speed").value);
  if (now - state.last >= wait) {
    state.last = Math.max(state.last + wait, now - wait);
    go(state.step + 1);
  }
  requestAnimationFrame(tick);
}

function toggleDifference() {
  state.difference = !state.difference;
  byId("difference").setAttribute("aria-pressed", String(state.difference));
  go(state.step);
}

function keys(event) {
  if (event.target.matches("select, input:not([type=range])") || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = event.target.matches("button");
  if (event.key === " " && !button) state.playing ? stop() : play();
  else if (event.key === "ArrowLeft" && event.target.id !== "frame") { stop(); go(state.step - 1); }
  else if (event.key === "ArrowRight" && event.target.id !== "frame") { stop(); go(state.step + 1); }
  else if (event.key === "d") toggleDifference();
  else return;
  event.preventDefault();
}
