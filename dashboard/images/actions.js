// Actions on images: numbered, shown at once, and sent until Python confirms them.

const RESEND_MS = 15000; // longer than a run of the page on a busy machine
const BROWSER = "streetclip-browser";
const NAME = "streetclip-name";
const MOVES = ["open", "next", "previous", "page", "more"]; // actions that change no image
const CONNECTION = "data-test-connection-state"; // Streamlit's, on the element of the app

const app = () => document.querySelector("[data-testid=stApp]");
const isConnected = () => app().getAttribute(CONNECTION) === "CONNECTED";

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
    // A window that is closed sends what is left, and asks first if it cannot.
    window.addEventListener("pagehide", () => this.flush(true));
    window.addEventListener("beforeunload", (event) => {
      if (this.warning()) event.preventDefault();
    });
    // What was under way when the connection broke is lost.
    new MutationObserver(() => {
      if (isConnected()) this.flush(true);
      if (this.pending.length) this.onChange();
    }).observe(app(), { attributeFilter: [CONNECTION] });
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

  // A server that names another session has forgotten this one, and what was sent to it.
  acknowledge({ session, number }) {
    const isKnown = session === this.session;
    if (isKnown) this.pending = this.pending.filter((action) => action.number > number);
    this.flush(!isKnown);
  }

  // Words about changes that wait for the connection; "" if there are none.
  warning() {
    const num = this.pending.filter(({ kind }) => !MOVES.includes(kind)).length;
    if (isConnected() || !num) return "";
    return `No connection. Keep this window open: ${num === 1 ? "1 change waits" : `${num} changes wait`}.`;
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
