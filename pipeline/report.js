"use strict";
// The gallery of report.html. All that comes from photos or from data.yaml is set as text, never as HTML.
(() => {
  const setup = JSON.parse(document.getElementById("setup").textContent);
  const words = setup.words;
  const BATCH = 120; // crops that are drawn at a time as one scrolls
  const boxes = [];
  let shown = []; // places in `boxes`, in the order of the gallery
  let drawn = 0; // how many of `shown` are in the gallery
  let open = -1; // place in `shown` of the one that is looked at
  let order = 0;

  const find = id => document.getElementById(id);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const count = number => number.toLocaleString(setup.language);
  const percent = fraction => `${Math.round(fraction * 100)}%`;

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  find("loading").hidden = false;

  // Each script in report-data/ calls this with its photos.
  window.cropsort = records => {
    for (const [name, link, drawnLink, width, height, captured, camera, gps, pictures, found] of records) {
      const photo = { name, link, drawn: drawnLink, width, height, captured, camera, gps, boxes: [] };
      found.forEach(([kind, confidence, sure, second, secondConfidence, detector, left, top, right, bottom, rule], index) => {
        const picture = typeof pictures === "string" ? `${setup.thumbnails}${pictures}-${index}.jpg`
          : pictures[index] ? `data:image/jpeg;base64,${pictures[index]}` : "";
        const box = {
          photo, picture, kind, sure, second, rule, left, top, right, bottom, order: order++,
          confidence: confidence / 1e4, secondConfidence: secondConfidence / 1e4, detector: detector / 1e4,
        };
        photo.boxes.push(box);
        boxes.push(box);
      });
    }
  };

  // Filters

  const chosen = new Set(); // of classes; none for all
  const chips = new Map();

  const ORDERS = {
    sure: (a, b) => b.confidence - a.confidence,
    unsure: (a, b) => a.confidence - b.confidence,
    doubt: (a, b) => a.sure - b.sure || (a.confidence - a.secondConfidence) - (b.confidence - b.secondConfidence),
    photo: () => 0,
  };

  const readRange = () => {
    const [from, to] = [find("from"), find("to")].map(input => Number(input.value));
    find("from-said").textContent = percent(from / 100);
    find("to-said").textContent = percent(to / 100);
    return [from, to];
  };

  const choose = () => {
    const [from, to] = readRange();
    const unsureOnly = find("only-unsure").checked, grouped = find("grouped").checked;
    const counts = new Array(setup.classes.length).fill(0);
    const fitting = [];
    for (const box of boxes) {
      const told = Math.round(box.confidence * 100);
      if (told < from || told > to || (unsureOnly && box.sure)) continue;
      counts[box.kind] += 1;
      if (!chosen.size || chosen.has(box.kind)) fitting.push(box);
    }
    const compare = ORDERS[find("sort").value];
    fitting.sort((a, b) => (grouped ? a.kind - b.kind : 0) || compare(a, b) || a.order - b.order);
    shown = fitting;
    for (const [kind, chip] of chips) {
      chip.querySelector("span").textContent = count(kind < 0 ? counts.reduce((a, b) => a + b, 0) : counts[kind]);
      chip.setAttribute("aria-pressed", kind < 0 ? !chosen.size : chosen.has(kind));
    }
    drawAnew(grouped);
  };

  const makeChips = () => {
    const counts = new Array(setup.classes.length).fill(0);
    for (const box of boxes) counts[box.kind] += 1;
    const kinds = setup.classes.map((_, kind) => kind).filter(kind => counts[kind]);
    for (const kind of [-1, ...kinds]) {
      const chip = make("button", { type: "button", class: "chip" }, kind < 0 ? words.all : setup.classes[kind], make("span"));
      chip.addEventListener("click", () => {
        if (kind < 0) chosen.clear();
        else if (!chosen.delete(kind)) chosen.add(kind);
        choose();
      });
      chips.set(kind, chip);
      find("chips").append(chip);
    }
  };

  const reset = () => {
    chosen.clear();
    find("filters").reset();
    choose();
  };

  // Gallery

  const gallery = find("gallery");
  let groups = null; // how many of each class are shown, where a class has a heading

  const drawAnew = grouped => {
    groups = grouped ? new Map() : null;
    if (grouped) for (const box of shown) groups.set(box.kind, (groups.get(box.kind) || 0) + 1);
    gallery.replaceChildren();
    drawn = 0;
    find("shown").textContent = fill(words.shown, { shown: count(shown.length), all: count(boxes.length) });
    find("none").hidden = shown.length > 0;
    drawMore();
  };

  const drawMore = () => {
    const end = Math.min(drawn + BATCH, shown.length);
    const cards = document.createDocumentFragment();
    for (; drawn < end; drawn += 1) {
      const box = shown[drawn];
      if (groups && (!drawn || shown[drawn - 1].kind !== box.kind)) {
        cards.append(make("h3", {}, setup.classes[box.kind], make("span", {}, count(groups.get(box.kind)))));
      }
      cards.append(makeCard(box, drawn));
    }
    gallery.append(cards);
    find("more").hidden = drawn >= shown.length;
    watcher.unobserve(find("more-place")); // so that it says again whether that is in sight
    watcher.observe(find("more-place"));
  };

  const watcher = new IntersectionObserver(seen => {
    if (seen.some(one => one.isIntersecting) && drawn < shown.length) drawMore();
  }, { rootMargin: "800px" });

  const describe = box =>
    fill(words.alt_crop, { class: setup.classes[box.kind], confidence: percent(box.confidence), photo: box.photo.name });

  const makeCard = (box, place) => {
    const frame = make("span", { class: "frame" });
    if (box.picture) {
      const image = make("img", { loading: "lazy", decoding: "async", alt: describe(box), src: box.picture });
      image.addEventListener("error", () => frame.replaceChildren(words.no_picture));
      frame.append(image);
    } else frame.append(words.no_picture);
    const card = make("button", { type: "button", class: box.sure ? "card" : "card unsure", title: box.photo.name },
      frame, make("b", {}, setup.classes[box.kind]), make("span", { class: "sure" }, percent(box.confidence)),
      make("span", { class: "path" }, box.photo.name.split("/").pop()));
    if (!box.sure) card.append(make("span", { class: "tag" }, words.to_check));
    card.addEventListener("click", () => view(place));
    card.dataset.place = place;
    return card;
  };

  // One crop, in its photo

  const viewer = find("viewer"), stage = find("stage");

  const view = place => {
    open = place;
    const box = shown[place], photo = box.photo;
    find("viewer-title").textContent = `${setup.classes[box.kind]} ${percent(box.confidence)}`;
    find("viewer-tag").hidden = Boolean(box.sure);
    find("viewer-place").textContent = fill(words.place, { place: count(place + 1), shown: count(shown.length) });
    find("previous").disabled = place === 0;
    find("next").disabled = place === shown.length - 1;
    find("facts").replaceChildren(...tell(box));
    const ways = [["photo", photo.link], ["drawn", photo.drawn], ["crop", box.picture]].filter(([, link]) => link);
    present(box, ways, words.why_gone);
    if (!viewer.open) viewer.showModal();
  };

  // The photo; where it cannot be shown the picture with boxes made of it; where there is none the crop.
  const present = (box, ways, why) => {
    const way = ways[0];
    find("why").textContent = way && way[0] === "photo" ? "" : `${why} ${words[`instead_${way ? way[0] : "none"}`]}`;
    stage.replaceChildren();
    stage.className = way ? way[0] : "none";
    stage.removeAttribute("style");
    if (!way) return;
    const [kind, link] = way, photo = box.photo;
    const isOpen = () => shown[open] === box && image.isConnected;
    const image = make("img", { alt: kind === "crop" ? describe(box) : fill(words.alt_photo, { photo: photo.name }) });
    image.addEventListener("error", () => isOpen() && present(box, ways.slice(1), why));
    image.addEventListener("load", () => {
      if (!isOpen() || kind !== "photo") return;
      if (!photo.width) frame(box, image.naturalWidth, image.naturalHeight);
      else if (!isAlike(image.naturalWidth / image.naturalHeight, photo.width / photo.height)) {
        present(box, ways.slice(1), words.why_changed);
      }
    });
    stage.append(image);
    if (kind === "photo" && photo.width) frame(box, photo.width, photo.height);
    image.src = link;
  };

  const isAlike = (one, other) => Math.abs(one / other - 1) < 0.02;

  const frame = (box, width, height) => {
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.setProperty("--shape", width / height);
    const drawing = (tag, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      return element;
    };
    const overlay = drawing("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const rect = (one, look) => drawing("rect", {
      class: look, x: one.left, y: one.top, width: Math.max(1, one.right - one.left), height: Math.max(1, one.bottom - one.top),
    });
    overlay.append(...box.photo.boxes.filter(one => one !== box).map(one => rect(one, "other")), rect(box, "rim"), rect(box, "mark"));
    stage.append(overlay, makeLabel(box, width, height));
  };

  const makeLabel = (box, width, height) => {
    const label = make("span", { class: "label", "aria-hidden": "true" }, `${setup.classes[box.kind]} ${percent(box.confidence)}`);
    const right = box.left > width / 2;
    label.style[right ? "right" : "left"] = `${100 * Math.max(0, right ? 1 - box.right / width : box.left / width)}%`;
    const above = box.top > height / 10;
    label.style[above ? "bottom" : "top"] = `${100 * Math.max(0, above ? 1 - box.top / height : box.top / height)}%`;
    return label;
  };

  const tell = box => {
    const photo = box.photo;
    const name = photo.link ? make("a", { href: photo.link, target: "_blank", rel: "noopener" }, photo.name) : photo.name;
    const facts = [
      [words.photo, name],
      [words.runner_up, box.second < 0 ? "" : `${setup.classes[box.second]} ${percent(box.secondConfidence)}`],
      [words.detector, percent(box.detector)],
      [words.rule, box.rule],
      [words.box_px, `${box.left}, ${box.top} – ${box.right}, ${box.bottom}`],
      [words.captured, photo.captured],
      [words.camera, photo.camera],
      [words.gps, photo.gps ? photo.gps.map(angle => angle.toFixed(6)).join(", ") : ""],
    ];
    return facts.filter(([, value]) => value).flatMap(([title, value]) => [make("dt", {}, title), make("dd", {}, value)]);
  };

  const step = by => {
    const place = open + by;
    if (place < 0 || place >= shown.length) return;
    while (place >= drawn) drawMore();
    view(place);
  };

  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", event => event.target === viewer && viewer.close());
  document.addEventListener("keydown", event => {
    if (!viewer.open || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
  viewer.addEventListener("close", () => {
    if (viewer.open) return; // again, by now: the event comes late
    stage.replaceChildren(); // a photo of 12 megapixels takes 48 MB for as long as it is there
    const card = gallery.querySelector(`[data-place="${open}"]`);
    open = -1;
    if (card) card.focus();
  });

  let waiting = 0;
  const chooseSoon = () => {
    readRange();
    clearTimeout(waiting);
    waiting = setTimeout(choose, 80);
  };

  const start = () => {
    if (boxes.length !== setup.boxes) {
      find("loading").hidden = true;
      find("lost").hidden = false;
      return;
    }
    if (!boxes.length) return;
    find("loading").hidden = true;
    find("filters").hidden = find("bar").hidden = false;
    makeChips();
    for (const id of ["from", "to"]) find(id).addEventListener("input", chooseSoon);
    for (const id of ["only-unsure", "grouped", "sort"]) find(id).addEventListener("change", choose);
    find("show-all").addEventListener("click", reset);
    find("more").addEventListener("click", drawMore);
    choose();
  };

  // The scripts of report-data/ are deferred: by now they have run, or failed.
  document.addEventListener("DOMContentLoaded", start);
})();
