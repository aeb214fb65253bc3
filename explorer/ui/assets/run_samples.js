// Models tab: a training's samples on fixed seeds, with a slider from its first grid to its newest. Returns `stop`, and
// `show` of (run, grids, onMove); grids are pairs of step and time written. At its end the slider follows new grids, and
// onMove is given null instead of the step.
LX.runSamples = (holder, readGrid) => {
  const { el } = LX;
  const MAX_KEPT = 64;
  const FRAME_MS = 220;
  const kept = new Map(); // data URIs by run, step and time written; the ones used last are at the end
  let [name, grids, onMove] = [null, [], () => {}];
  let isLoading = false;
  let playing = 0;

  const image = el("img", { class: "lx-run-grid", alt: "" });
  const range = el("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Step of the samples" });
  const play = el("button", { type: "button", class: "lx-button lx-play", "aria-pressed": "false", text: "Play" });
  const readout = el("output", { "aria-live": "off" });
  const newest = el("span", { text: "newest" });
  const notice = el("p", { class: "lx-notice" });
  const figure = el("figure", {}, image, el("div", { class: "lx-timeline" }, range,
    el("div", { class: "lx-under" }, play, el("span", { class: "lx-t" }, "step ", readout, newest))));
  holder.replaceChildren(notice, figure);

  const position = () => Math.min(Number(range.value), grids.length - 1);
  const isAtEnd = () => position() === grids.length - 1;
  const getKey = () => (grids.length ? `${grids[position()].join("/")}/${name}` : "");

  function keep(key, src) {
    kept.delete(key);
    kept.set(key, src);
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value);
  }

  async function paint(src, step) {
    image.src = src;
    image.alt = `Samples of ${name} at step ${LX.formatCount(step)}, seeds 0 to 63`;
    image.dataset.step = step;
    await image.decode().catch(() => null);
    image.classList.toggle("is-crisp", LX.isCrisp(image.clientWidth, image.naturalWidth || 1));
  }

  // One request at a time; when it is answered, the position is looked at again, so that the last one wins.
  async function show() {
    const key = getKey();
    if (!key) return;
    const [step] = grids[position()];
    if (kept.has(key)) {
      notice.textContent = "";
      keep(key, kept.get(key));
      await paint(kept.get(key), step);
      return;
    }
    if (isLoading) return;
    isLoading = true;
    const answer = await LX.ask(readGrid({ name, step }));
    isLoading = false;
    if (answer.src) keep(key, answer.src);
    if (key !== getKey() || answer.src) {
      await show();
      return;
    }
    notice.textContent = answer.error;
    clear(); // the picture of another step
  }

  function clear() {
    image.removeAttribute("src");
    image.alt = "";
    delete image.dataset.step;
  }

  function move() {
    const step = grids[position()][0];
    readout.textContent = LX.formatCount(step);
    newest.hidden = !isAtEnd();
    range.setAttribute("aria-valuetext", `step ${LX.formatCount(step)}`);
    onMove(isAtEnd() ? null : step);
    return show();
  }

  function stop() {
    clearTimeout(playing);
    playing = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  async function tick() {
    const mine = playing;
    range.value = position() + 1;
    await move();
    if (mine !== playing) return;
    if (isAtEnd()) stop();
    else playing = setTimeout(tick, FRAME_MS);
  }

  function start() {
    range.value = isAtEnd() ? 0 : position();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    move();
    playing = setTimeout(tick, FRAME_MS);
  }

  range.addEventListener("input", () => { stop(); move(); });
  play.addEventListener("click", () => { if (playing) stop(); else start(); });

  function update(run, newGrids, moved) {
    const isFollowing = run !== name || (isAtEnd() && !playing);
    if (run !== name) {
      stop();
      clear();
    }
    [name, grids, onMove] = [run, newGrids, moved];
    figure.hidden = !grids.length;
    notice.textContent = grids.length ? "" : "No samples have been written yet.";
    range.max = Math.max(0, grids.length - 1);
    play.disabled = grids.length < 2;
    if (!grids.length) return;
    if (isFollowing) range.value = range.max;
    move();
  }

  return { show: update, stop };
};
