// For whoever asked for less motion a finished GIF rests on its first frame until it is played.
LX.stillGif = (element) => {
  const { el } = LX;
  const root = element.querySelector(".lx-still");
  const frame = el("canvas", { role: "img", "aria-label": "Your GIF, its first frame" });
  const play = el("button", { type: "button", class: "lx-button" });
  let image = null;

  function show(isPlaying) {
    image.hidden = !isPlaying;
    frame.hidden = isPlaying;
    play.textContent = isPlaying ? "Stop GIF" : "Play GIF";
  }

  play.addEventListener("click", () => show(image.hidden));
  // Loading does not bubble. The picture is Gradio's, and may be another element each time.
  document.addEventListener("load", ({ target }) => {
    if (!element.isConnected || !target.matches?.(".lx-made img")) return;
    image = target;
    image.loading = "eager"; // hidden, a lazy one would never load the next GIF
    if (!LX.prefersCalm()) {
      image.hidden = false;
      root.replaceChildren();
      return;
    }
    [frame.width, frame.height] = [image.naturalWidth, image.naturalHeight];
    frame.getContext("2d").drawImage(image, 0, 0); // of an animated image, its first frame
    root.replaceChildren(frame, play);
    show(false);
  }, true);
};
