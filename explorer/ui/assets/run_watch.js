// Models tab: the trainings in a folder. While the section is in sight the server is asked for what is new: often
// while the chosen run goes on, rarely otherwise.
LX.runWatch = (element, context) => {
  const { el } = LX;
  const RUNNING_MS = 1500;
  const RESTING_MS = 5000;
  const root = element.querySelector(".lx-runs");
  let chosen = null;
  let isTouched = false; // a run that goes on opens by itself until the user has chosen
  let run = null;
  let timer = 0;
  let isLooking = false;
  let width = 0;

  const list = el("ul", { class: "lx-run-list" });
  const start = el("p", { class: "lx-quiet" });
  const command = el("code", {});
  const empty = el("div", { class: "lx-empty", hidden: true }, start, command);
  const problem = el("p", { class: "lx-damage", role: "status" });
  const facts = el("dl", { class: "lx-run-facts" });
  const damage = el("p", { class: "lx-damage" });
  const samples = el("div", { class: "lx-run-samples" });
  const charts = el("div", { class: "lx-run-charts" });
  const detail = el("div", { class: "lx-run-detail", role: "group", hidden: true }, facts, damage,
    el("div", { class: "lx-run-body" }, samples, charts));
  root.replaceChildren(el("h2", { text: "Training runs" }), problem, empty, list, detail);

  const fillList = LX.runList(list, choose);
  const { show: showSamples, stop: stopSamples } = LX.runSamples(samples, (request) => context.server.read_grid(request));
  const isShown = () => element.clientWidth > 0 && !document.hidden;

  function choose(name) {
    isTouched = true;
    open(name === chosen ? null : name);
    look();
  }

  function open(name) {
    [chosen, run] = [name, null];
    stopSamples();
    if (name === null) detail.hidden = true; // else what is there stays until the other run's curves come
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-expanded", String(button.dataset.run === name));
    }
  }

  function drawFacts() {
    facts.replaceChildren(...run.facts.map(([term, text]) => el("div", {}, el("dt", { text: term }), el("dd", { text }))));
    damage.textContent = run.damage;
    damage.hidden = !run.damage;
  }

  // Every chart keeps its own holder, so that nothing moves while a curve grows.
  function drawCharts(step) {
    if (!run) return undefined; // closed while its samples moved
    if (!run.charts.length) return LX.showNotice(charts, "Nothing has been written yet: the first numbers come after a few steps.");
    const holders = new Map([...charts.children].map((child) => [child.dataset.chart, child]));
    const wanted = run.charts.map(({ key }) => holders.get(key) || el("div", { class: "lx-chart", "data-chart": key }));
    if (wanted.some((holder, index) => charts.children[index] !== holder) || charts.children.length !== wanted.length) {
      charts.replaceChildren(...wanted);
    }
    run.charts.forEach((chart, index) => LX.chart(wanted[index],
      { ...chart, xLabel: "steps", height: 190, isCutEarly: true, cursor: step }));
    return undefined;
  }

  function draw() {
    detail.hidden = false;
    detail.setAttribute("aria-label", `Training of ${run.name}`);
    drawFacts();
    if (!run.grids.length) drawCharts(null);
    showSamples(run.name, run.grids, drawCharts);
  }

  function take(answer) {
    problem.textContent = answer.error || "";
    if (answer.error) return;
    const names = answer.runs.map((one) => one.name);
    if (chosen !== null && !names.includes(chosen)) open(null);
    const going = answer.runs.find((one) => one.is_running);
    if (!isTouched && chosen === null && going) open(going.name);
    empty.hidden = names.length > 0;
    start.textContent = `None in ${answer.start.folder} yet. Start one and watch it here:`;
    command.textContent = answer.start.command;
    fillList(answer.runs, chosen);
    if (answer.run && answer.run.name === chosen) {
      run = answer.run;
      draw();
    }
  }

  async function look() {
    clearTimeout(timer);
    if (!isShown() || isLooking) return;
    isLooking = true;
    const asked = chosen;
    const answer = await LX.ask(context.server.look_at_runs({ name: chosen, version: run ? run.version : "" }));
    isLooking = false;
    if (answer.isLost) answer.error += " Asking again.";
    if (asked === chosen) take(answer);
    // Chosen meanwhile, by the user or by itself: its curves are still to come.
    if (chosen !== null && !run && !answer.error) {
      look();
      return;
    }
    const isGoing = (answer.runs || []).some((one) => one.name === chosen && one.is_running);
    timer = setTimeout(look, isGoing ? RUNNING_MS : RESTING_MS);
  }

  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    const wasHidden = width === 0;
    width = element.clientWidth;
    if (width && run) draw();
    if (wasHidden) look();
  }).observe(element);
  document.addEventListener("visibilitychange", look);
  look();
};
