// Pictures of a diagnosis, fetched when they are about to be shown, and kept.
(() => {
  const MAX_IMAGES = 32;
  const MAX_THUMBNAILS = 64;
  const WAITS = [0, 1000, 4000]; // ms before each try: a busy server or a lost connection may come back

  // Two requests at a time, one for pictures and one for small ones: the samples of a running
  // diagnosis come first.
  // Pictures are asked for `of` a model and the checkpoint that was diagnosed; where there is none,
  // `onAbsent` is called.
  LX.imageStore = (server, onAbsent) => {
    const images = new Map();
    const thumbnails = new Map();
    const queues = { fetch_images: Promise.resolve(), fetch_thumbnails: Promise.resolve() };

    async function request(name, wanted) {
      let answer = null;
      for (const wait of WAITS) {
        await new Promise((done) => { setTimeout(done, wait); });
        answer = await LX.ask(server[name](wanted));
        if (!answer.isLost && !answer.is_busy) break;
      }
      return answer;
    }

    function ask(name, wanted) {
      queues[name] = queues[name].then(() => request(name, wanted));
      return queues[name];
    }

    // Fills `known` with a promise per key; what could not be fetched is forgotten, to be asked again.
    function remember(known, keys, answer, pick) {
      keys.forEach((key, position) => {
        const found = answer.then((value) => pick(value, position));
        known.set(key, found);
        found.then((value) => { if (value === null && known.get(key) === found) known.delete(key); });
      });
      answer.then((value) => { if (!value || value.error) onAbsent(); });
    }

    function getAll(known, { model, checkpoint }, field, ids, size, fetch) {
      const name = (id) => `${field} ${id} ${checkpoint} ${model}`;
      const missing = [...new Set(ids)].filter((id) => !known.has(name(id)));
      for (let start = 0; start < missing.length; start += size) {
        const part = missing.slice(start, start + size);
        const [answer, pick] = fetch({ model, checkpoint, [field]: part });
        remember(known, part.map(name), answer, pick);
      }
      return ids.map((id) => known.get(name(id)));
    }

    const pickFrame = (answer, position) => (answer.frames ? answer.frames[position] : null);

    async function cutSprite(request) {
      const answer = await ask("fetch_thumbnails", request);
      if (!answer.sprite) return null;
      const image = new Image();
      image.src = answer.sprite;
      await image.decode();
      return { image, height: answer.size[0], width: answer.size[1], columns: answer.columns };
    }

    return {
      // Promises of data URIs, null where there is no picture. `field` is "seeds" or "indices".
      getImages: (of, field, ids) => getAll(images, of, field, ids, MAX_IMAGES,
        (request) => [ask("fetch_images", request), pickFrame]),

      // Promises of {image, x, y, width, height}: where a small picture lies in its sprite.
      getThumbnails: (of, field, ids) => getAll(thumbnails, of, field, ids, MAX_THUMBNAILS,
        (request) => [cutSprite(request), (sprite, position) => sprite && { ...sprite,
          x: (position % sprite.columns) * sprite.width,
          y: Math.floor(position / sprite.columns) * sprite.height }]),

      // Promises of the data URIs of steps along one direction.
      getWalk: ({ model, checkpoint }, baseSeed, directionSeed, steps) => {
        const key = `walk ${baseSeed} ${directionSeed} ${steps} ${checkpoint} ${model}`;
        const keys = steps.map((_, position) => `${key} ${position}`);
        if (!images.has(keys[0])) {
          remember(images, keys, ask("fetch_images",
            { model, checkpoint, base_seed: baseSeed, direction_seed: directionSeed, steps }), pickFrame);
        }
        return keys.map((name) => images.get(name));
      },

      clear: () => { images.clear(); thumbnails.clear(); },
    };
  };

  // An <img> that gets its picture when it has come; until then it is a dark frame.
  LX.awaitImage = (source, attributes) => {
    const image = LX.el("img", { alt: "", draggable: "false", class: "is-crisp is-awaited", ...attributes });
    source.then((src) => {
      if (src) image.src = src;
      image.classList.toggle("is-awaited", !src);
      image.classList.toggle("is-absent", !src);
    });
    return image;
  };
})();
