// Triage by mouse and keyboard: shared by the gallery, the queue and the page of one image.
//
// Every text of the data becomes a text node or an attribute, never markup.

const SHORTCUTS = [
  ["j or →", "next image"],
  ["k or ←", "previous image"],
  ["1 – 4", "set a suggested tag; with Shift remove it"],
  ["t", "write a custom tag"],
  ["n", "write a note; Ctrl + Enter saves it"],
  ["r", "reviewed"],
  ["c", "needs second look"],
  ["x", "select a card; with Shift all up to it"],
  ["u", "undo your last change"],
  ["Shift + u", "redo it"],
  ["+, −, 0", "zoom the photo, fit it"],
  ["f", "photo over the full screen"],
  ["b", "boxes of cues on or off"],
  ["?", "show this list"],
];

const [LONGEST_TAG, LONGEST_NOTE] = [500, 10000];

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key, value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function hidden(text) {
  return el("span", { class: "unseen" }, text);
}

function isPlainClick(event) {
  return event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

// Whether a key belongs to what has the focus: a text field, a list, a table.
function belongsElsewhere(event, root) {
  const path = event.composedPath();
  const target = path[0];
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  if (!(target instanceof Element)) return true;
  if (target.closest("input:not([type=checkbox]), textarea, select, [contenteditable=true]")) return true;
  if (path.includes(root) || target === document.body) return false;
  if (target.matches(".stage")) { // the arrow keys move a photo that is zoomed
    return event.key.startsWith("Arrow") && target.hasAttribute("data-zoomed");
  }
  return !target.matches("button, a, [data-testid=stMain], [data-testid=stAppScrollToBottomContainer]");
}

// Name a key by its place for digits, and with "Shift+" where Shift changes what it does.
function keyOf(event) {
  const digit = /^Digit(\d)$/.exec(event.code)?.[1];
  const name = digit ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  return event.shiftKey && name !== "?" ? `Shift+${name}` : name;
}

function leave(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

// Name a key that is meant for a view; null if it is not, or all is done.
function pressed(view, event) {
  const isInForm = event.composedPath().includes(view.form.node);
  if (event.key === "Escape" && isInForm) view.root.getRootNode().activeElement?.blur();
  if (view.help.open || belongsElsewhere(event, view.root)) return null;
  const name = keyOf(event);
  if (name !== "?") return name;
  view.help.showModal();
  leave(event);
  return null;
}

const VIEWS = new WeakMap();
// Make the view of a mounted component once, hand it the keys while it is shown, and update it.
function mount(View, component) {
  const root = component.parentElement.querySelector(".root");
  if (!VIEWS.has(root)) {
    const view = new View(root);
    const onKey = (event) => {
      if (root.isConnected) view.press(event);
      else window.removeEventListener("keydown", onKey, true);
    };
    window.addEventListener("keydown", onKey, true);
    VIEWS.set(root, view);
  }
  VIEWS.get(root).update(component);
}

// Tags, custom tag, note, status, undo and redo of one image.
//
// `onDone`: a text was entered; `onJudged`: a status was set, or a tag that counts as one.
class TriageForm {
  constructor(actions, { onDone = () => {}, onHelp, onJudged = () => {}, tagJudges = () => false }) {
    Object.assign(this, { actions, onDone, onJudged, tagJudges });
    this.drafts = new Map();
    this.image = null;
    this.tags = el("div", { class: "tags", role: "group", "aria-label": "Tags" });
    this.own = el("input", {
      type: "text", maxlength: LONGEST_TAG, "aria-label": "Custom tag",
      placeholder: "Custom tag", autocomplete: "off",
    });
    this.note = el("textarea", {
      rows: 2, maxlength: LONGEST_NOTE, "aria-label": "Note", placeholder: "Note",
      change: () => this.keepNote(),
      keydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          this.keepNote();
          this.onDone();
        }
      },
    });
    this.statuses = el("div", { class: "statuses", role: "group", "aria-label": "Status" });
    this.messages = new Messages();
    this.node = el(
      "fieldset", { class: "triage" },
      this.tags,
      el(
        "form", { class: "line", submit: (event) => this.addOwn(event) },
        this.own, el("button", { type: "submit" }, "Add tag"),
      ),
      el(
        "div", { class: "line" },
        this.note, el("button", { type: "button", click: () => this.keepNote() }, "Save note"),
      ),
      el(
        "div", { class: "line spread" }, this.statuses,
        el(
          "span", { class: "buttons" },
          el("button", { type: "button", click: () => this.retrace("undo") }, "Undo", key("u")),
          el("button", { type: "button", click: () => this.retrace("redo") }, "Redo"),
          el("button", { type: "button", "aria-label": "Keyboard shortcuts", click: onHelp }, "?"),
        ),
      ),
      this.messages.node,
    );
  }

  // Show an image; `kept` is its state in the store, without the pending actions.
  show(kept, data) {
    const image = this.actions.applied(kept);
    this.data = data;
    if (this.image?.id !== image.id) this.changeTo(image);
    else if (this.own.value && kept.tags.includes(this.own.value.trim())) this.own.value = "";
    if (this.note.value === this.lastNote || this.note.value === kept.note) {
      this.note.value = image.note;
      this.lastNote = image.note;
    }
    this.image = image;
    this.node.disabled = !data.may_annotate;
    this.drawTags(image);
    this.drawStatuses(image);
    this.messages.show({ ...data, words: this.actions.warning() || data.words });
  }

  changeTo(image) {
    if (this.image) {
      const note = this.note.value === this.lastNote ? null : this.note.value;
      this.drafts.set(this.image.id, { own: this.own.value, note });
    }
    const draft = this.drafts.get(image.id);
    this.own.value = draft?.own ?? "";
    this.note.value = draft?.note ?? image.note;
    this.lastNote = image.note;
  }

  drawTags(image) {
    const suggested = this.data.suggested.map((tag, index) => {
      const set = image.tags.includes(tag);
      return el(
        "button",
        {
          type: "button", class: "toggle", "data-tag": tag, "aria-pressed": String(set),
          click: () => this.toggleTag(tag),
        },
        tag, key(String(index + 1)),
      );
    });
    const own = image.tags.filter((tag) => !this.data.suggested.includes(tag)).map((tag) =>
      el(
        "button",
        {
          type: "button", class: "toggle", "data-tag": tag, "aria-pressed": "true", title: tag,
          click: () => this.toggleTag(tag),
        },
        el("bdi", {}, tag), el("span", { "aria-hidden": "true" }, " ×"), hidden(", remove"),
      ),
    );
    replaceKeepingFocus(this.tags, [...suggested, ...own], "data-tag");
  }

  drawStatuses(image) {
    const keys = { reviewed: "r", "to check": "c" };
    const buttons = Object.entries(this.data.statuses).map(([status, label]) =>
      el(
        "button",
        {
          type: "button", class: "toggle", "data-status": status,
          "aria-pressed": String(image.status === status),
          click: () => this.setStatus(status),
        },
        label, keys[status] ? key(keys[status]) : null,
      ),
    );
    replaceKeepingFocus(this.statuses, buttons, "data-status");
  }

  toggleTag(tag) {
    if (this.image.tags.includes(tag)) this.removeTag(tag);
    else this.setTag(tag);
  }

  removeTag(tag) {
    if (this.image.tags.includes(tag)) this.actions.add("untag", this.image.id, tag);
  }

  setTag(tag) {
    const judges = this.tagJudges();
    const kind = judges ? "judge" : "tag";
    if (judges || !this.image.tags.includes(tag)) this.actions.add(kind, this.image.id, tag);
    if (judges) this.onJudged();
  }

  addOwn(event) {
    event.preventDefault();
    const tag = this.own.value.trim();
    if (tag) this.setTag(tag);
    this.onDone();
  }

  keepNote() {
    if (!this.image || this.note.value === this.lastNote) return;
    const pending = this.actions.pending.some(
      ({ kind, image, value }) =>
        kind === "note" && image === this.image.id && value === this.note.value,
    );
    if (!pending) this.actions.add("note", this.image.id, this.note.value);
  }

  setStatus(status) {
    if (status !== this.image.status) this.actions.add("status", this.image.id, status);
    this.onJudged();
  }

  retrace(kind) {
    this.actions.add(kind, this.image.id);
  }

  // Do what a key means; false if it means nothing here. A key that is held acts once.
  press(event) {
    if (this.node.disabled) return false;
    const name = keyOf(event);
    const [, shift, digit] = /^(Shift\+)?(\d)$/.exec(name) ?? [];
    const tag = this.data.suggested[Number(digit) - 1];
    const acts = {
      r: () => this.setStatus("reviewed"),
      c: () => this.setStatus("to check"),
      u: () => this.retrace("undo"),
      "Shift+u": () => this.retrace("redo"),
    };
    if (tag !== undefined) {
      acts[name] = () => (shift ? this.removeTag(tag) : this.setTag(tag));
    }
    if (!acts[name]) return false;
    if (!event.repeat) acts[name]();
    return true;
  }
}

function key(text) {
  return el("kbd", { "aria-hidden": "true" }, text);
}

function replaceKeepingFocus(host, nodes, attribute) {
  const focused = host.getRootNode().activeElement;
  const name = host.contains(focused) ? focused.getAttribute(attribute) : null;
  host.replaceChildren(...nodes);
  if (name !== null) nodes.find((node) => node.getAttribute(attribute) === name)?.focus();
}

// A dialog over the page; closing gives the focus back to where it was.
function dialog(label, ...children) {
  const close = el(
    "button", { type: "button", class: "close", "aria-label": "Close", click: () => box.close() }, "×",
  );
  const box = el("dialog", { "aria-label": label }, close, ...children);
  box.addEventListener("click", (event) => {
    if (event.target === box) box.close();
  });
  return box;
}

function helpDialog() {
  const rows = SHORTCUTS.map(([keys, what]) =>
    el("div", {}, el("dt", {}, keys), el("dd", {}, what)),
  );
  return dialog("Keyboard shortcuts", el("h2", {}, "Keyboard"), el("dl", {}, ...rows));
}
