// One photo: zoomed, moved, at full resolution, over the whole screen, with the boxes of its cues.
//
// A canvas shows a small picture first, then tiles of the level of detail that the zoom needs.
// `view` is the photo's point in the middle of the stage and its scale, in the screen's own pixels
// for one of the photo. Nothing moves by itself.

const KEY_STEP = 1.4;
const WHEEL_STEP = 0.003; // exponent of the zoom, for each pixel that a wheel turns
const ARROW_SHARE = 0.15; // of the stage
const LARGEST_SCALE = 16;
const STILL_MS = 80;
const SCROLLED_MS = 400;

const clamped = (value, least, most) => Math.min(Math.max(value, least), most);

class PhotoView {
  constructor() {
    this.pointers = new Map();
    this.scrolledAt = -Infinity;
    this.withBoxes = true;
    this.canvas = el("canvas", { role: "img" });
    this.cues = el("div");
    this.fault = el("p", { class: "fault", role: "alert" });
    this.stage = el(
      "div",
      {
        class: "stage", tabindex: 0, role: "application",
        "aria-label": "Photo: + and − zoom, 0 fits, arrow keys move, f fills the screen",
        wheel: (event) => this.turn(event), dblclick: (event) => this.magnify(event),
        pointerdown: (event) => this.hold(event), pointermove: (event) => this.drag(event),
        pointerup: (event) => this.release(event), pointercancel: (event) => this.release(event),
      },
      this.canvas, this.cues, this.fault,
    );
    this.percent = el("output", { "aria-label": "Zoom" });
    this.boxButton = this.button("Boxes", "b", () => this.toggleBoxes());
    this.boxButton.classList.add("toggle");
    this.screenButton = this.button("Full screen", "f", () => this.toggleScreen());
    this.screenButton.hidden = !document.fullscreenEnabled;
    this.node = el(
      "div", { class: "viewer" }, this.stage,
      el(
        "div", { class: "tools", role: "group", "aria-label": "Photo" },
        this.button("Zoom out", "−", () => this.zoom(1 / KEY_STEP), "−"),
        this.button("Zoom in", "+", () => this.zoom(KEY_STEP), "+"),
        this.button("Fit", "0", () => this.fit()), this.percent, this.boxButton, this.screenButton,
      ),
    );
    new ResizeObserver(() => this.resize()).observe(this.stage);
    const onScroll = (event) => {
      if (this.node.isConnected) this.scrolledAt = event.timeStamp;
      else document.removeEventListener("scroll", onScroll, true);
    };
    document.addEventListener("scroll", onScroll, true);
  }

  button(name, shortcut, click, sign = null) {
    const names = { "aria-label": sign ? name : null, title: sign ? name : null };
    const label = sign ? [sign] : [name, key(shortcut)];
    return el("button", { type: "button", "aria-keyshortcuts": shortcut, ...names, click }, ...label);
  }

  // Show the pictures of a photo, and the whole of it unless it is shown already.
  show(pictures) {
    if (this.pictures === pictures) return;
    const { photo } = pictures;
    this.pictures = pictures;
    this.photo = photo;
    pictures.onChange = () => {
      if (this.pictures === pictures) this.draw();
    };
    this.boxButton.hidden = !photo.boxes.length;
    const aspect = photo.width / photo.height;
    this.stage.style.aspectRatio = String(clamped(aspect, 0.4, 6));
    // No larger than twice its size, no higher than the screen allows.
    this.stage.style.maxWidth = `min(100%, ${2 * photo.width}px, ${72 * aspect}vh)`;
    this.canvas.setAttribute("aria-label", `The image ${photo.name}`);
    this.cues.replaceChildren(...photo.boxes.map(({ label }) =>
      el("div", { class: "cue" }, label ? el("span", {}, el("bdi", {}, label)) : null),
    ));
    this.view = null;
    this.resize();
  }

  // Zoom and place

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const wasFitted = this.isFitted();
    this.canvas.width = Math.max(1, Math.round(this.stage.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.stage.clientHeight * ratio));
    if (!this.photo) return;
    if (wasFitted) this.fit();
    else this.look(this.view);
    this.paint();
  }

  isFitted() {
    return !this.view || this.view.scale <= this.fitScale * 1.001;
  }

  fit() {
    this.look({ x: this.photo.width / 2, y: this.photo.height / 2, scale: 0 });
  }

  // Look at a point; as near as there are pixels, no farther than the whole photo.
  look({ x, y, scale }) {
    const { width, height } = this.photo;
    const before = this.view?.scale;
    this.fitScale = Math.min(this.canvas.width / width, this.canvas.height / height);
    const next = clamped(scale, this.fitScale, Math.max(LARGEST_SCALE, this.fitScale));
    const within = (value, whole, seen) =>
      whole <= seen ? whole / 2 : clamped(value, seen / 2, whole - seen / 2);
    this.view = {
      x: within(x, width, this.canvas.width / next),
      y: within(y, height, this.canvas.height / next),
      scale: next,
    };
    this.stage.toggleAttribute("data-zoomed", !this.isFitted());
    this.stage.toggleAttribute("data-sharp", false); // until it is painted
    this.stage.dataset.view = Object.values(this.view).map((each) => each.toFixed(4)).join(" ");
    if (next !== before) { // tiles of the levels on the way are not worth asking for
      this.stillAt = performance.now() + STILL_MS;
      setTimeout(() => this.draw(), STILL_MS + 5);
    }
    this.draw();
  }

  // Zoom, and take what is seen at one point of the screen to another, or leave it there.
  zoom(factor, from = null, to = from) {
    const { x, y, scale } = this.view;
    const next = clamped(scale * factor, this.fitScale, Math.max(LARGEST_SCALE, this.fitScale));
    const [[right, down], [newRight, newDown]] = [from, to].map((at) => this.fromMiddle(at));
    this.look({
      x: x + right / scale - newRight / next, y: y + down / scale - newDown / next, scale: next,
    });
  }

  move(right, down) {
    const { x, y, scale } = this.view;
    this.look({ x: x + right / scale, y: y + down / scale, scale });
  }

  fromMiddle(at) {
    if (!at) return [0, 0];
    const { clientX, clientY } = at;
    const box = this.stage.getBoundingClientRect();
    const ratio = this.canvas.width / box.width;
    return [(clientX - box.left - box.width / 2) * ratio, (clientY - box.top - box.height / 2) * ratio];
  }

  // Wheel, pointers, keys

  turn(event) {
    const isOut = event.deltaY > 0;
    const isScroll = !event.ctrlKey && (event.timeStamp - this.scrolledAt < SCROLLED_MS);
    if (!event.ctrlKey && ((isOut && this.isFitted()) || isScroll)) return; // the page scrolls
    event.preventDefault();
    const pixels = clamped(event.deltaY * (event.deltaMode === 1 ? 33 : 1), -120, 120);
    this.zoom(Math.exp(-pixels * WHEEL_STEP * (event.ctrlKey ? 4 : 1)), event);
  }

  magnify(event) {
    if (this.isFitted()) this.zoom(Math.max(1, 4 * this.fitScale) / this.view.scale, event);
    else this.fit();
  }

  hold(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, event);
    this.stage.toggleAttribute("data-held", true);
    this.stage.setPointerCapture(event.pointerId);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const other = [...this.pointers.values()].find((each) => each.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (!other) {
      this.zoom(1, before, event);
      return;
    }
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = (one) => ({
      clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2,
    });
    const ratio = apart(event) / Math.max(1, apart(before));
    this.zoom(ratio, middle(before), middle(event));
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    this.stage.toggleAttribute("data-held", this.pointers.size > 0);
  }

  // Do what a key means; false if it means nothing here.
  press(event) {
    if (!this.photo) return false;
    const far = ARROW_SHARE * this.canvas.width;
    const arrows = {
      ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far],
    };
    const isHere = event.composedPath().includes(this.stage) && !this.isFitted();
    if (event.key === "+" || event.key === "=") this.zoom(KEY_STEP);
    else if (event.key === "-" || event.key === "−") this.zoom(1 / KEY_STEP);
    else if (event.key === "0") this.fit();
    else if (event.key === "f") this.toggleScreen();
    else if (event.key === "b" && this.photo.boxes.length) this.toggleBoxes();
    else if (isHere && arrows[event.key]) this.move(...arrows[event.key]);
    else return false;
    return true;
  }

  toggleBoxes() {
    this.withBoxes = !this.withBoxes;
    this.draw();
  }

  toggleScreen() {
    if (this.node.getRootNode().fullscreenElement === this.node) document.exitFullscreen();
    else if (document.fullscreenEnabled) this.node.requestFullscreen();
  }

  // Drawing

  draw() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { x, y, scale } = this.view;
    const left = this.canvas.width / 2 - x * scale;
    const top = this.canvas.height / 2 - y * scale;
    const mayAsk = performance.now() >= this.stillAt;
    const isSharp = this.pictures.draw(this.canvas, left, top, scale, mayAsk);
    this.stage.toggleAttribute("data-sharp", isSharp);
    write(this.percent, `${Math.round(scale * 100)} %`);
    write(this.fault, this.pictures.problem);
    this.placeBoxes(left, top);
  }

  placeBoxes(left, top) {
    const ratio = this.canvas.width / Math.max(1, this.stage.clientWidth);
    const { width, height, boxes } = this.photo;
    const pixels = (start, share, whole) => `${(start + share * whole * this.view.scale) / ratio}px`;
    this.boxButton.setAttribute("aria-pressed", String(this.withBoxes));
    this.cues.hidden = !this.withBoxes;
    [...this.cues.children].forEach((cue, index) => {
      const [x, y, across, down] = boxes[index].box;
      Object.assign(cue.style, {
        left: pixels(left, x, width), top: pixels(top, y, height),
        width: pixels(0, across, width), height: pixels(0, down, height),
      });
      cue.toggleAttribute("data-low", top + y * height * this.view.scale < 20 * ratio);
    });
  }
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
