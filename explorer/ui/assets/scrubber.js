// Interpolate tab: the path is rendered once into a sprite, so the hand is followed without a request;
// as soon as the hand rests, the exact frame for that t is fetched and replaces the nearest in-between.
LX.scrubber = (element, context) => {
  const { el } = LX;
  const REST_MS = 70;
  const root = element.querySelector(".lx-morph");
  const stage = root.querySelector("canvas.lx-stage");
  const range = root.querySelector("input[type=range]");
  const readout = root.querySelector("output");
  const strip = root.querySelector(".lx-strip");
  const ends = [...root.querySelectorAll(".lx-end")];
  const play = root.querySelector(".lx-play");
  const notice = root.querySelector(".lx-notice");
  const refusal = root.querySelector(".lx-replaced");
  let data = null;
  let sprite = null;
  let request = 0;
  let timer = 0;
  let animation = 0;

  const t = () => Number(range.value);
  // Two paths may have the same pixels: a label that the model takes no notice of.
  const identify = (value) => value && JSON.stringify([value.request, value.stops, value.sprite]);

  function drawFromSprite(canvas, position) {
    const [width, height] = data.size;
    const index = Math.round(position * (data.count - 1));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(sprite, (index % data.columns) * width,
      Math.floor(index / data.columns) * height, width, height, 0, 0, width, height);
  }

  function follow() {
    LX.shownPlace = t();
    readout.textContent = t().toFixed(3);
    range.setAttribute("aria-valuetext", describePlace());
    for (const frame of strip.children) {
      frame.setAttribute("aria-current", String(Math.abs(Number(frame.dataset.t) - t()) < 0.0005));
    }
    scrollStrip();
    if (!sprite) return;
    root.dataset.exact = "";
    drawFromSprite(stage, t());
  }

  // What a screen reader says of the position: the stop, where it is on one, or the value of a swept label.
  function describePlace() {
    const share = `${Math.round(t() * 100)} percent of the way`;
    if (!data || !data.kind) return `${share} from A to B`;
    const place = t() * (data.stops.length - 1);
    const name = nameStop(Math.abs(place - Math.round(place)) < 1e-6 ? Math.round(place) : place);
    return name ? `${name}, ${share}` : share;
  }

  // Where the strip is wider than its place, the frame of the position stays in sight.
  function scrollStrip() {
    const frame = strip.children[Math.round(t() * (strip.children.length - 1))];
    if (!frame || strip.scrollWidth <= strip.clientWidth) return;
    const [start, end] = [frame.offsetLeft, frame.offsetLeft + frame.offsetWidth - strip.clientWidth];
    strip.scrollLeft = Math.min(start, Math.max(end, strip.scrollLeft));
  }

  // The last position always wins: every move cancels the timer, and only the newest answer is drawn.
  function settle() {
    clearTimeout(timer);
    const mine = ++request;
    timer = setTimeout(async () => {
      if (!data || !sprite) return;
      const position = t();
      const answer = await LX.ask(context.server.render_frame({ ...data.request, t: position }));
      if (mine !== request) return;
      if (answer.is_busy) return void settle();
      refusal.textContent = answer.error || "";
      if (!answer.src) return;
      const image = new Image();
      image.src = answer.src;
      await image.decode();
      if (mine !== request) return;
      stage.getContext("2d").drawImage(image, 0, 0);
      root.dataset.exact = position.toFixed(3);
    }, REST_MS);
  }

  function moveTo(position) {
    range.value = position;
    follow();
    settle();
  }

  function stop() {
    cancelAnimationFrame(animation);
    animation = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  function start() {
    const begin = performance.now() - Math.acos(1 - 2 * t()) * 1000;
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    const step = (now) => {
      range.value = (1 - Math.cos((now - begin) / 1000)) / 2;
      follow();
      animation = requestAnimationFrame(step);
    };
    animation = requestAnimationFrame(step);
  }

  // The seed, or the value of the label that is swept: between two numbers those between, else none.
  function nameStop(place) {
    const [low, high] = [data.stops[Math.floor(place)], data.stops[Math.ceil(place)]];
    if (low === high) return LX.spellLabel(low);
    return data.kind === "number" ? Number((Number(low) + (place % 1) * (Number(high) - Number(low))).toPrecision(3)).toString() : "";
  }

  function drawStrip() {
    const isNarrow = element.clientWidth < 560;
    // As many as are large enough, and every stop among them.
    const legs = data.stops.length - 1;
    const perLeg = Math.ceil((isNarrow ? 6 : 10) / legs);
    const count = legs * perLeg + 1;
    strip.replaceChildren(...Array.from({ length: count }, (_, index) => {
      const position = index / (count - 1);
      const canvas = el("canvas", { "aria-hidden": "true" });
      drawFromSprite(canvas, position);
      const place = `t = ${position.toFixed(2)}`;
      const name = data.kind ? nameStop(index / perLeg) : "";
      return el("button", { type: "button", class: "lx-frame", "data-t": position,
        "aria-label": `Go to ${name ? `${name}, ${place}` : place}`, onclick: () => { stop(); moveTo(position); } },
      canvas, el("span", { class: "lx-edge", text: data.kind ? name : position.toFixed(2).replace(/^0/, "") }));
    }));
  }

  function drawAll() {
    const isCrisp = LX.isCrisp(stage.clientWidth || 256, data.size[0]);
    root.classList.toggle("is-crisp", isCrisp);
    ends.forEach((end, index) => {
      drawFromSprite(end.querySelector("canvas"), index);
      const text = data.stops[index * (data.stops.length - 1)];
      end.querySelector("b").replaceChildren(LX.nameColour(text) || LX.spellLabel(text));
    });
    drawStrip();
    // A click on a stop lands on it, to the last digit.
    const places = strip.children.length - 1;
    range.step = data.stops.length > 2 ? 1 / (places * Math.ceil(1000 / places)) : 0.001;
    follow();
  }

  async function load(value) {
    const isReady = Boolean(value && value.sprite);
    root.classList.toggle("is-empty", !isReady);
    if (!isReady) {
      LX.shownMorph = null;
      notice.textContent = (value && value.message) || "Developing…";
      return;
    }
    const image = new Image();
    image.src = value.sprite;
    await image.decode();
    if (identify(context.props.value) !== identify(value)) return;
    [data, sprite] = [value, image];
    LX.shownMorph = value.request; // what a file is to look like
    refusal.textContent = "";
    drawAll();
    settle();
  }

  range.addEventListener("input", () => { stop(); follow(); settle(); });
  range.addEventListener("change", settle);
  play.addEventListener("click", () => { if (animation) { stop(); settle(); } else if (sprite) start(); });

  let loaded = null;
  LX.keepRendered(element, context, (value) => {
    if (value && value.sprite && identify(value) === loaded && data) {
      drawAll(); // in-betweens again
      settle();
    } else load(value);
    loaded = identify(value);
  });
};

// Whoever was sent to the morph goes on there: the button with the focus is on a tab that is hidden by now.
LX.focusMorph = () => {
  const started = performance.now();
  // Whoever has gone on to something else meanwhile stays there.
  const isFree = () => document.activeElement === document.body || !document.activeElement.checkVisibility();
  const focus = (now) => {
    const range = document.querySelector(".lx-scrub input[type=range]"); // made when the tab is first opened
    if (range && range.checkVisibility({ visibilityProperty: true })) range.focus(); // not before a morph is drawn
    else if (now - started < 60000 && isFree()) requestAnimationFrame(focus);
  };
  requestAnimationFrame(focus);
};
