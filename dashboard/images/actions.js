// Actions on images: numbered, shown at once, and sent until Python confirms them.

const RESEND_MS = 15000; // longer than a run of the page on a busy machine
const BROWSER = "streetclip-browser";
const NAME = "streetclip-name";

// What the browser keeps, for all windows or for one; some browsers keep nothing.
const kept = (storage) => ({
  read(key) {
    try {
      return storage().getItem(key) ?? "";
    } catch {
      return "";
    }
  },
  write(key, value) {
    try {
      storage().setItem(key, value);
    } catch {
      // It lasts as long as the page.
    }
  },
});
const KEPT = kept(() => localStorage);
const KEPT_BY_WINDOW = kept(() => sessionStorage);

// A random id of this browser, so that undo is of one's own actions.
function browserId() {
  if (!KEPT.read(BROWSER)) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    KEPT.write(BROWSER, [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return KEPT.read(BROWSER);
}

// Actions that are not known to be stored yet. One message is under way at a time: each makes the
// server run the page, and a further one would interrupt it.
class Actions {
  constructor(held = () => []) {
    this.session = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    this.held = held;
    this.last = 0;
    this.sent = 0;
    this.pending = [];
    this.timer = null;
    // A window that is closed sends what is left.
    window.addEventListener("pagehide", () => this.flush(true));
  }

  connect(send, onChange) {
    this.send = send;
    this.onChange = onChange;
  }

  // `several`: `images` or the digest of those `matching`, of an action on more than `image`.
  add(kind, image, value = "", several = {}) {
    this.last += 1;
    // Only the last of the images that were passed is opened.
    if (kind === "open") this.pending = this.pending.filter(
      (action) => action.kind !== "open" || action.number <= this.sent,
    );
    this.pending.push({ number: this.last, kind, image, value, ...several });
    this.flush();
    this.onChange();
  }

  has(...kinds) {
    return this.pending.some((action) => kinds.includes(action.kind));
  }

  flush(again = false) {
    const isUnderWay = this.pending.some((action) => action.number <= this.sent);
    if (!this.pending.length || (isUnderWay && !again)) return;
    this.sent = this.last;
    const { session, pending } = this;
    const who = { browser: browserId(), name: KEPT.read(NAME) };
    this.send({ session, actions: [...pending], held: this.held(), ...who });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(true), RESEND_MS);
  }

  acknowledge(handled) {
    if (!handled || handled.session !== this.session) return;
    this.pending = this.pending.filter((action) => action.number > handled.number);
    this.flush();
  }

  // Apply the pending actions to an image.
  applied(image) {
    const result = { ...image, tags: [...image.tags] };
    for (const { kind, image: id, value, images, matching } of this.pending) {
      if (id !== image.id && !matching && !images?.includes(image.id)) continue;
      if (["tag", "judge"].includes(kind) && !result.tags.includes(value)) result.tags.push(value);
      if (kind === "untag") result.tags = result.tags.filter((tag) => tag !== value);
      if (kind === "judge") result.status = "reviewed";
      if (kind === "status") result.status = value;
      if (kind === "note") result.note = value;
    }
    return result;
  }
}

// Errors and results of actions, announced to screen readers, too.
class Messages {
  constructor() {
    this.alert = el("p", { class: "alert", role: "alert" });
    this.words = el("p", { class: "words", role: "status" });
    this.node = el("div", { class: "messages" }, this.alert, this.words);
  }

  show({ problem, words }) {
    if (this.alert.textContent !== problem) this.alert.textContent = problem;
    if (this.words.textContent !== words) this.words.textContent = words;
  }
}
