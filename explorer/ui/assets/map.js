// Points on a canvas: samples are discs, real images are crosses. The map shows the picture of the
// point under the pointer, under a finger, or reached with the arrow keys.
(() => {
  const { el } = LX;
  const PICTURE = 44;
  const NEAR = 28; // pixels between the pointer and the point it takes
  const TIP = [140, 154]; // as diagnosis.css has it
  const BLOCK = 64; // pictures fetched at once
  const KINDS = { samples: { field: "seeds", colour: "--lx-series-0", word: "Sample, seed" },
    reals: { field: "indices", colour: "--lx-series-1", word: "Real image" } };

  // Canvases do not follow style sheets: they are drawn again when the lights go on or off.
  const drawn = new Set();
  let lights = null;
  LX.redrawWithLights = (node, draw) => {
    drawn.add({ node, draw });
    // What was drawn before and is gone by then would stay in memory, canvas and all.
    setTimeout(() => {
      for (const item of drawn) if (!item.node.isConnected) drawn.delete(item);
    }, 5000);
    lights = lights || new MutationObserver(() => {
      for (const item of drawn) {
        if (item.node.isConnected) item.draw();
        else drawn.delete(item);
      }
    });
    lights.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };

  LX.openCanvas = (canvas, width, height) => {
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(canvas);
    return { pen, colour: (name) => style.getPropertyValue(name).trim() };
  };

  LX.drawPoint = (pen, kind, x, y, size) => {
    pen.beginPath();
    if (kind === "samples") {
      pen.arc(x, y, size, 0, 2 * Math.PI);
      pen.fill();
    } else {
      pen.moveTo(x - size, y - size); pen.lineTo(x + size, y + size);
      pen.moveTo(x + size, y - size); pen.lineTo(x - size, y + size);
      pen.stroke();
    }
  };

  // Calls with the bounds of all positions in one column, a little widened.
  LX.findBounds = (groups, column) => {
    const values = groups.flatMap((positions) => positions.map((row) => row[column]));
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = (high - low || 1) * 0.04;
    return [low - pad, high + pad];
  };

  function listPoints(spec, width, height) {
    const groups = [spec.reals.positions, spec.samples.positions];
    const [left, right] = LX.findBounds(groups, 0);
    const [bottom, top] = LX.findBounds(groups, 1);
    return ["reals", "samples"].flatMap((kind) => spec[kind].positions.map((row, position) => ({
      kind, position, id: spec[kind].ids[position],
      x: ((row[0] - left) / (right - left)) * (width - 24) + 12,
      y: height - 12 - ((row[1] - bottom) / (top - bottom)) * (height - 24),
    })));
  }

  const nearest = (points, x, y, isWanted) => {
    let best = null;
    let shortest = Infinity;
    for (const point of points) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < shortest && isWanted(point)) [best, shortest] = [point, distance];
    }
    return [best, shortest];
  };

  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  // The next point in the direction of an arrow key: near, and within 45 degrees of it.
  function findNext(points, from, [dx, dy]) {
    let best = null;
    let least = Infinity;
    for (const point of points) {
      const along = (point.x - from.x) * dx + (point.y - from.y) * dy;
      const aside = Math.abs((point.x - from.x) * dy) + Math.abs((point.y - from.y) * dx);
      if (point === from || along <= 0 || aside > along) continue;
      if (along + 2 * aside < least) [best, least] = [point, along + 2 * aside];
    }
    return best;
  }

  // spec: {model, checkpoint, samples: {ids, positions}, reals: {ids, positions}, axes: [text, text], store,
  // hasRealImages, realImagesNote, isDone, memory}; memory keeps the view when the map is drawn anew.
  LX.pointMap = (holder, spec) => {
    const width = Math.max(220, holder.clientWidth || 480);
    const height = Math.round(Math.max(260, Math.min(width * 0.62, 560)));
    const points = listPoints(spec, width, height);
    const pictures = new Map();
    const canvas = el("canvas", { "aria-hidden": "true" });
    const tip = el("div", { class: "lx-tip lx-film", hidden: true });
    const spoken = el("p", { class: "lx-spoken", "aria-live": "polite" });
    const frame = el("div", { class: "lx-map", tabindex: 0, role: "application",
      "aria-label": `Map of ${spec.samples.ids.length} samples of ${spec.model} and ${spec.reals.ids.length} real images. `
        + "Arrow keys go from point to point.",
      onpointermove: (event) => take(event), onpointerdown: (event) => { pointedAt = performance.now(); take(event); },
      // A finger leaves as soon as it is lifted: what it took stays.
      onpointerleave: (event) => { if (event.pointerType !== "touch") choose(null); }, onblur: () => choose(null), onkeydown: move,
      onfocus: () => { if (!spec.memory.chosen && performance.now() - pointedAt > 1000) choose(nearest(points, width / 2, height / 2, isSample)[0]); } },
    canvas, tip);
    const toggle = el("button", { type: "button", class: "lx-button lx-toggle", "aria-pressed": String(!!spec.memory.isPictures),
      text: "Show as pictures", onclick: () => {
        spec.memory.isPictures = !spec.memory.isPictures;
        toggle.setAttribute("aria-pressed", String(spec.memory.isPictures));
        if (spec.memory.isPictures) fetchAll();
        draw();
      } });
    let pointedAt = -Infinity; // a click or tap focuses the frame, too: it has chosen already
    let isQueued = false;
    let isFetching = false;

    function isSample(point) { return point.kind === "samples"; }
    const nameOf = (point) => `${KINDS[point.kind].word} ${point.id}`;

    // Pictures come in blocks of neighbours in the list, as they are asked for.
    function fetchBlock(point) {
      if (point.kind === "reals" && !spec.hasRealImages) return;
      const start = Math.floor(point.position / BLOCK) * BLOCK;
      const { ids } = spec[point.kind];
      const part = ids.slice(start, start + BLOCK);
      const found = spec.store.getThumbnails(spec, KINDS[point.kind].field, part);
      found.forEach((source, offset) => source.then((picture) => {
        const key = `${point.kind} ${part[offset]}`;
        if (!picture || pictures.has(key)) return;
        pictures.set(key, picture);
        frame.dataset.pictures = pictures.size;
        if (spec.memory.isPictures) queueDraw();
      }));
    }

    function fetchAll() {
      const longest = Math.max(spec.samples.ids.length, spec.reals.ids.length);
      for (let position = 0; position < longest; position += BLOCK) {
        for (const kind of ["samples", "reals"]) {
          if (position < spec[kind].ids.length) fetchBlock({ kind, position });
        }
      }
    }

    // The whole picture of the chosen point; a hand that sweeps over many asks for the last one.
    async function fetchChosen() {
      if (isFetching) return;
      isFetching = true;
      for (let shown = null; spec.memory.chosen && spec.memory.chosen.key !== shown;) {
        shown = spec.memory.chosen.key;
        const point = findPoint(shown);
        if (!point || (point.kind === "reals" && !spec.hasRealImages)) continue;
        const src = await spec.store.getImages(spec, KINDS[point.kind].field, [point.id])[0];
        const isStill = spec.memory.chosen && spec.memory.chosen.key === shown;
        if (src && isStill) showPicture(el("img", { src, alt: nameOf(point), class: "is-crisp" }));
      }
      isFetching = false;
    }

    function showPicture(picture) {
      tip.firstChild.replaceWith(picture);
      tip.classList.add("has-picture");
    }

    function showThumbnail(picture) {
      const image = el("canvas", { class: "is-crisp", width: picture.width, height: picture.height });
      image.getContext("2d").drawImage(picture.image, picture.x, picture.y, picture.width, picture.height,
        0, 0, picture.width, picture.height);
      showPicture(image);
    }

    const keyOf = (point) => `${point.kind} ${point.id}`;
    const findPoint = (key) => points.find((point) => keyOf(point) === key) || null;

    function queueDraw() {
      if (isQueued) return;
      isQueued = true;
      requestAnimationFrame(() => { isQueued = false; draw(); });
    }

    function draw() {
      const { pen, colour } = LX.openCanvas(canvas, width, height);
      const { chosen, isPictures } = spec.memory;
      pen.lineWidth = 1.3;
      for (const point of points) {
        pen.globalAlpha = isPictures ? 0.35 : isSample(point) ? 0.72 : 0.62;
        pen.fillStyle = pen.strokeStyle = colour(KINDS[point.kind].colour);
        LX.drawPoint(pen, point.kind, point.x, point.y, isSample(point) ? 2.6 : 2.4);
      }
      pen.globalAlpha = 1;
      if (isPictures) drawPictures(pen, colour);
      const point = chosen && findPoint(chosen.key);
      if (!point) return;
      pen.strokeStyle = colour("--lx-text");
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(point.x, point.y, 7, 0, 2 * Math.PI);
      pen.stroke();
    }

    // As many as fit without covering one another; real and generated take turns.
    function drawPictures(pen, colour) {
      const placed = [];
      const inTurns = [...points].sort((a, b) => a.position - b.position);
      for (const point of inTurns) {
        const picture = pictures.get(keyOf(point));
        const x = Math.max(2, Math.min(width - PICTURE - 2, point.x - PICTURE / 2));
        const y = Math.max(2, Math.min(height - PICTURE - 2, point.y - PICTURE / 2));
        if (!picture || placed.some((other) => Math.abs(other.x - x) < PICTURE + 3 && Math.abs(other.y - y) < PICTURE + 3)) continue;
        placed.push({ x, y });
        pen.drawImage(picture.image, picture.x, picture.y, picture.width, picture.height, x, y, PICTURE, PICTURE);
        pen.strokeStyle = colour(KINDS[point.kind].colour);
        pen.setLineDash(isSample(point) ? [] : [5, 3]);
        pen.lineWidth = 2;
        pen.strokeRect(x, y, PICTURE, PICTURE);
      }
      pen.setLineDash([]);
    }

    function choose(point) {
      spec.memory.chosen = point && { key: keyOf(point) };
      tip.hidden = !point;
      if (point) {
        const picture = pictures.get(keyOf(point));
        const isMissing = point.kind === "reals" && !spec.hasRealImages;
        tip.replaceChildren(el("span", { class: "lx-tip-text", text: isMissing ? spec.realImagesNote : "" }),
          el("span", { class: "lx-edge", text: nameOf(point) }));
        tip.dataset.key = keyOf(point);
        tip.classList.remove("has-picture");
        if (picture) showThumbnail(picture);
        if (!isMissing) fetchChosen();
        tip.style.left = `${Math.max(0, Math.min(width - TIP[0], point.x + (point.x > width / 2 ? -TIP[0] - 12 : 12)))}px`;
        tip.style.top = `${Math.max(0, Math.min(height - TIP[1], point.y - TIP[1] / 2))}px`;
        if (spoken.textContent !== nameOf(point)) spoken.textContent = nameOf(point);
      }
      draw();
    }

    function take(event) {
      const box = canvas.getBoundingClientRect();
      const [point, distance] = nearest(points, event.clientX - box.left, event.clientY - box.top, () => true);
      const found = distance <= NEAR ? point : null;
      const key = found && keyOf(found);
      if (key !== (spec.memory.chosen && spec.memory.chosen.key)) choose(found);
    }

    function move(event) {
      if (event.key === "Escape") choose(null);
      if (!(event.key in ARROWS)) return;
      event.preventDefault();
      const from = spec.memory.chosen && findPoint(spec.memory.chosen.key);
      const next = from ? findNext(points, from, ARROWS[event.key]) : nearest(points, width / 2, height / 2, isSample)[0];
      if (next) choose(next);
    }

    holder.replaceChildren(
      el("div", { class: "lx-map-head" },
        LX.drawKey([["dot", `samples (${LX.formatCount(spec.samples.ids.length)})`],
          ["cross", `real images (${LX.formatCount(spec.reals.ids.length)})`]]), toggle),
      frame,
      el("p", { class: "lx-axes" }, el("span", { text: `→ ${spec.axes[0]}` }), el("span", { text: `↑ ${spec.axes[1]}` })),
      spoken);
    choose(spec.memory.chosen ? findPoint(spec.memory.chosen.key) : null);
    LX.redrawWithLights(canvas, draw);
    if (spec.memory.isPictures) fetchAll();
    else if (spec.isDone) {
      const seen = new IntersectionObserver((entries) => {
        if (entries.some((entry) => entry.isIntersecting)) { seen.disconnect(); fetchAll(); }
      });
      seen.observe(frame);
    }
  };
})();
