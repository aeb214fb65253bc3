// Models tab: one card per file. Samples and the layer table are fetched when a card is first looked at.
LX.modelCards = (element, context) => {
  const { el } = LX;
  const root = element.querySelector(".lx-cards");

  // One after another: cards that scroll by would all ask at once, and keep the server from the rest.
  let previews = Promise.resolve();
  async function fillStrip(strip, name) {
    if (!strip.isConnected) return;
    const answer = await LX.ask(context.server.preview_model(name));
    if (!answer.frames) {
      const again = el("button", { type: "button", class: "lx-link", text: "Try again",
        onclick: () => { strip.replaceChildren(); seen.observe(strip); } });
      strip.replaceChildren(el("p", { class: "lx-notice" }, answer.error, " ", again));
      return;
    }
    strip.replaceChildren(...answer.frames.map((src, seed) =>
      el("img", { src, alt: `${name}, seed ${seed}`, class: "is-crisp", draggable: "false" })));
  }

  async function fillLayers(holder, name) {
    LX.showNotice(holder, "Counting…");
    const answer = await LX.ask(context.server.describe_layers(name));
    if (!answer.networks) {
      const again = el("button", { type: "button", class: "lx-link", text: "Try again", onclick: () => fillLayers(holder, name) });
      holder.replaceChildren(el("p", { class: "lx-notice" }, answer.error, " ", again));
      return;
    }
    const number = (text) => el("td", { class: "lx-number", text });
    const drawNetwork = (network) => el("div", { class: "lx-scroll" }, el("table", { class: "lx-table lx-layers" },
      el("caption", { text: network.name }),
      el("thead", {}, el("tr", {}, ["Layer", "Kind", "Output shape", "Parameters"]
        .map((text, column) => el("th", { scope: "col", text, class: column > 1 ? "lx-number" : null })))),
      el("tbody", {}, network.rows.map((row) => el("tr", {}, el("th", { scope: "row", text: row.name }),
        el("td", { text: row.kind }), number(row.shape), number(LX.formatCount(row.parameters))))),
      el("tfoot", {}, el("tr", {}, el("th", { scope: "row", text: "Total" }), el("td", {}), el("td", {}),
        number(LX.formatCount(network.total))))));
    holder.replaceChildren(el("div", { class: "lx-networks" }, answer.networks.map(drawNetwork)));
  }

  function drawCurves(holder, card) {
    const scores = el("div", { class: "lx-chart" });
    const losses = el("div", { class: "lx-chart" });
    holder.replaceChildren(scores, losses);
    LX.chart(scores, { title: `${card.score_name || "Score"} over training (lower is better)`, xLabel: "images seen", height: 200,
      fromZero: true, empty: "No score was taken during training.",
      series: [{ name: card.score_name || "Score", points: card.curve.score, floor: card.noise_floor }] });
    LX.chart(losses, { title: "Losses", xLabel: "images seen", height: 200, empty: "No losses were kept.",
      series: [{ name: "generator", points: card.curve.loss_g }, { name: "discriminator", points: card.curve.loss_d }] });
  }

  // Terms name their licence by its address; anything else of a file's is shown as it is.
  function drawText(text) {
    return text.split(/(https?:\/\/[^\s)"<>]+)/).map((part, index) => (index % 2
      ? el("a", { href: part, target: "_blank", rel: "noopener noreferrer", text: part.replace(/^https?:\/\/|\/$/g, "") })
      : part));
  }

  const drawFacts = (facts) => el("dl", {}, facts.map(([term, text]) =>
    el("div", { class: term === "Command" ? "lx-command" : null }, el("dt", { text: term }), el("dd", {}, drawText(text)))));

  function drawValues(text) {
    const values = text.split(", ");
    return values.every(LX.isColour) ? values.map(LX.nameColour) : text;
  }

  function drawLabels(labels) {
    if (!labels.length) return null;
    const columns = [["Label", ""], ["Values", ""], ["Read by a stranger", "By a network that learned from real images only"],
      ["Of real images", "What the same network reads right of real images that it did not learn from"],
      ["Read by its predictor", "By the network that taught it"],
      ["Hidden", "What its predictor reads and a stranger does not: information that is hidden from the eye"],
      ["Diversity", "How far images of one value lie apart, as a share of real ones"]];
    const table = el("table", { class: "lx-table lx-card-labels" },
      el("thead", {}, el("tr", {}, columns.map(([text, title]) => el("th", { scope: "col", text, title: title || null })))),
      el("tbody", {}, labels.map((label) => el("tr", {}, el("th", { scope: "row", text: LX.spellLabel(label.name) }),
        el("td", { class: "lx-values" }, drawValues(label.values)),
        [label.reader, label.reader_on_real, label.predictor, label.hidden, label.diversity].map((text) => el("td", { text: text || "–" }))))));
    const notes = columns.filter(([, title]) => title).flatMap(([text, title]) => [el("dt", { text }), el("dd", { text: title })]);
    return el("div", {}, el("div", { class: "lx-scroll" }, table),
      el("details", { class: "lx-notes" }, el("summary", { text: "What these columns mean" }), el("dl", {}, notes)));
  }

  function unfold(summary, draw) {
    const holder = el("div", { class: "lx-fold" });
    return el("details", { ontoggle: (event) => {
      if (event.target.open) draw(holder);
    } }, el("summary", { text: summary }), holder);
  }

  function drawCard(card) {
    if (card.error) {
      return el("article", { class: "lx-card is-damaged", "data-model": card.name },
        el("h3", { text: card.name }), el("p", { class: "lx-damage", text: "Cannot be read" }),
        el("p", { text: card.error }));
    }
    const strip = el("div", { class: "lx-film lx-preview" });
    seen.observe(strip);
    strip.dataset.model = card.name;
    const score = card.score === null ? el("p", { class: "lx-big-number is-none", text: "not scored" })
      : el("p", { class: "lx-big-number" }, el("b", { text: LX.formatScore(card.score) }),
        el("span", { text: card.score_line }));
    return el("article", { class: "lx-card", "data-model": card.name },
      el("header", {}, el("div", {}, el("h3", { text: card.name }), el("p", { class: "lx-of", text: card.subtitle })), score),
      strip,
      drawFacts(card.facts),
      drawLabels(card.labels),
      unfold("How it was trained", (holder) => holder.replaceChildren(drawFacts(card.training))),
      unfold("Layers and parameters", (holder) => { if (!holder.firstChild) fillLayers(holder, card.name); }),
      unfold("Training curve", (holder) => drawCurves(holder, card)));
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      previews = previews.then(() => fillStrip(entry.target, entry.target.dataset.model));
    }
  });

  const render = () => {
    const data = context.props.value;
    if (!data || !data.cards) return LX.showNotice(root, "Looking for checkpoints…");
    if (!data.cards.length) return LX.showNotice(root, data.message);
    return root.replaceChildren(...data.cards.map(drawCard));
  };
  context.watch("value", render);
  render();
};
