// Boards of measured values say which checkpoints have been written again since. They ask when the
// folder was looked at again, and when the page draws images that may be of newer weights.
(() => {
  LX.lookAgain = () => window.dispatchEvent(new Event("lx-look-again"));

  // `list` gives [{model, checkpoint}] of what a board shows; `redraw` is called when a note has come.
  LX.findReplaced = (context, list, redraw) => {
    const notes = new Map();
    const key = ({ model, checkpoint }) => `${checkpoint} ${model}`;

    async function ask(shown) {
      if (!shown.length) return;
      const request = Object.fromEntries(shown.map(({ model, checkpoint }) => [model, checkpoint]));
      const answer = await LX.ask(context.server.find_replaced(request));
      if (!answer.notes) return;
      for (const item of shown) {
        const text = answer.notes[item.model];
        if (!text) notes.delete(key(item)); // put back
        // One element for as long as it is so: a new one with every value would be spoken each time.
        else if (!notes.has(key(item))) notes.set(key(item), LX.el("p", { class: "lx-replaced", role: "status", text }));
      }
      redraw();
    }

    const listShown = () => list().filter((item) => item.checkpoint);
    window.addEventListener("lx-look-again", () => ask(listShown()));
    return {
      // For those that nothing is known of: many pictures may be refused at once.
      ask: () => ask(listShown().filter((item) => !notes.has(key(item)))),
      // A line for a model whose weights are others by now, null for the rest.
      draw: (item) => notes.get(key(item)) || null,
    };
  };
})();
