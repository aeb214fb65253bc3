// Helpers shared by every piece of the page. Text from checkpoints only ever goes through textContent.
window.LX = window.LX || {};

(() => {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "text") node.textContent = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat()) {
      if (child !== null && child !== undefined) node.append(child);
    }
    return node;
  }

  LX.el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  LX.svg = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  LX.formatCount = (value) => Number(value).toLocaleString("en-US");
  LX.formatScore = (value) => {
    if (value === null || value === undefined || !Number.isFinite(Number(value))) return "–";
    const size = Math.abs(value);
    return Number(value).toFixed(size >= 100 ? 1 : size >= 1 ? 2 : 3);
  };
  LX.formatRange = (low, high) => `${LX.formatScore(low)} to ${LX.formatScore(high)}`;

  // Calls render now, on every new value, and whenever the width of the element changes.
  // While its tab is hidden an element has no width: it is rendered when it is shown again.
  LX.keepRendered = (element, context, render) => {
    let width = 0;
    const update = () => {
      width = Math.round(element.clientWidth);
      if (width > 0) render(context.props.value);
    };
    context.watch("value", update);
    new ResizeObserver(() => {
      if (Math.round(element.clientWidth) !== width) update();
    }).observe(element);
    update();
  };

  // Size of a frame and number of columns so that a whole sheet is seen at once.
  LX.fitSheet = ({ count, native, width, height, pad, bands, largest }) => {
    const ratio = native[1] / native[0];
    const step = Math.max(8, native[0] / 4);
    for (let size = Math.floor(largest / step) * step; size >= step; size -= step) {
      const columnsFitting = Math.min(count, Math.floor(width / (size + pad)));
      const rowsFitting = Math.floor(height / (size * ratio + bands));
      if (columnsFitting < 1 || rowsFitting < 1) continue;
      if (columnsFitting * rowsFitting < count) continue;
      const fewest = Math.ceil(count / rowsFitting);
      const wish = Math.sqrt((count * width) / height);
      let columns = 0;
      for (let n = fewest; n <= columnsFitting; n++) {
        if (count % n === 0 && (!columns || Math.abs(n - wish) < Math.abs(columns - wish))) columns = n;
      }
      if (!columns) columns = Math.ceil(count / Math.ceil(count / columnsFitting));
      return { size, columns };
    }
    const columns = Math.max(1, Math.min(count, Math.floor(width / (48 + pad))));
    return { size: Math.floor(width / columns) - pad, columns };
  };

  // Size of a frame in a sheet whose number of columns is given; smaller than this it scrolls.
  LX.fitColumns = ({ columns, native, width, pad, side, largest }) => {
    const step = Math.max(8, native[0] / 4);
    const fitting = Math.floor(((width - side) / columns - pad) / step) * step;
    return { size: Math.max(32, Math.min(largest, fitting)), columns };
  };

  // Whole multiples show every pixel as a square; anything small and uneven is better smoothed.
  LX.isCrisp = (shown, native) => {
    const scale = (shown * (window.devicePixelRatio || 1)) / native;
    return scale >= 2.5 || Math.abs(scale - Math.round(scale)) < 0.02;
  };

  LX.moveInSheet = (event, index, count, columns) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    let next = index;
    if (event.key in steps) next = index + steps[event.key];
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = count - 1;
    else return null;
    event.preventDefault();
    return next >= 0 && next < count ? next : null;
  };

  LX.spellLabel = (name) => name.replaceAll("_", " ");

  // Values of labels that are colours are shown as such: drawn beside their text, or in its place.
  LX.isColour = (value) => /^#[0-9a-f]{6}$/i.test(value);
  const drawSwatch = (value, attributes) => (LX.isColour(value)
    ? LX.el("i", { class: "lx-colour", style: `background:${value}`, ...attributes }) : null);
  LX.drawColour = (value) => drawSwatch(value, { "aria-hidden": "true" });
  LX.nameColour = (value) => drawSwatch(value, { role: "img", "aria-label": value, title: value });

  // Gradio's functions for this are fulfilled with nothing where a request fails: that is an error as any other.
  LX.ask = async (request) => (await request.catch(() => null))
    || { error: "The server does not answer: is it still running?", isLost: true };

  LX.showNotice = (element, text) =>
    element.replaceChildren(LX.el("p", { class: "lx-notice", text }));

  LX.prefersCalm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
})();
