// The finished animation. For whoever asked for less motion it rests on its first frame until played.
LX.madeAnimation = (element, context) => {
  const { el } = LX;
  const root = element.querySelector(".lx-made");

  function refuse(name) {
    root.replaceChildren(el("p", { class: "lx-notice", text: `This browser cannot play the ${name}: download it.` }));
  }

  function buildVideo({ file, name }) {
    const isCalm = LX.prefersCalm();
    const video = el("video", {
      src: file.url, loop: true, muted: true, playsinline: true, controls: true,
      autoplay: !isCalm, preload: "auto", "aria-label": `Your ${name}`,
    });
    video.addEventListener("error", () => refuse(name));
    video.muted = true; // browsers start by themselves only what is silent, and read the property
    return [video];
  }

  function buildImage({ file, name }) {
    const image = el("img", { alt: `Your ${name}` });
    image.addEventListener("error", () => refuse(name));
    image.src = file.url;
    return LX.prefersCalm() ? buildResting(image, name) : [image];
  }

  // Of an animated image, a canvas draws the first frame.
  function buildResting(image, name) {
    const frame = el("canvas", { role: "img", "aria-label": `Your ${name}, its first frame` });
    const play = el("button", { type: "button", class: "lx-button" });
    const show = (isPlaying) => {
      image.hidden = !isPlaying;
      frame.hidden = isPlaying;
      play.textContent = isPlaying ? `Stop ${name}` : `Play ${name}`;
    };
    image.hidden = frame.hidden = play.hidden = true;
    image.addEventListener("load", () => {
      [frame.width, frame.height] = [image.naturalWidth, image.naturalHeight];
      frame.getContext("2d").drawImage(image, 0, 0);
      play.hidden = false;
      show(false);
    }, { once: true });
    play.addEventListener("click", () => show(image.hidden));
    return [frame, image, play];
  }

  const BUILDERS = { image: buildImage, video: buildVideo };
  let shown = null;
  const render = () => {
    const value = context.props.value || {};
    if (value.file?.url === shown) return;
    shown = value.file?.url;
    root.replaceChildren(...(shown ? BUILDERS[value.media]?.(value) ?? [] : []));
  };
  context.watch("value", render);
  render();
};
