// Triage of a queue: picture, facts and form of one image, which change together and at once.
//
// The browser goes on by itself to images that it was sent ahead, and reports where it is. Keys act
// on the image that is seen; while the next one is on its way, nothing is seen and no key acts.

const ADVANCE = "streetclip-tag-and-next";
const PASSING = ["next", "previous", "undo", "redo"]; // the server answers where they lead

class Queue {
  constructor(root) {
    this.root = root;
    this.pictures = new Map();
    this.actions = new Actions(() => [...this.pictures.keys()]);
    this.help = helpDialog();
    this.advance = el("input", {
      type: "checkbox", change: () => KEPT.write(ADVANCE, this.advance.checked ? "1" : ""),
    });
    this.advance.checked = Boolean(KEPT.read(ADVANCE));
    this.form = new TriageForm(this.actions, {
      onDone: () => this.form.node.getRootNode().activeElement?.blur(),
      onHelp: () => this.help.showModal(),
      onJudged: () => this.go(1),
      tagJudges: () => this.advance.checked,
    });
    this.previous = this.link(-1, "← Previous");
    this.next = this.link(1, "Next →");
    this.picture = el("div", { class: "picture" });
    this.photo = new PhotoView();
    this.name = el("span", { "aria-live": "polite" });
    this.detail = el("a", { target: "_blank", rel: "noopener" }, "Everything about this image");
    this.facts = el("dl", { class: "facts" });
    this.candidates = el("div", { class: "candidates" });
    this.sides = [
      el("div", {}, this.picture, el("p", { class: "words caption" }, this.name, this.detail)),
      el(
        "div", {},
        el(
          "nav", { class: "steps", "aria-label": "Images" }, this.previous, this.next,
          el(
            "label", { title: "A tag counts as reviewed, and the next image comes" },
            this.advance, " Tag and next",
          ),
        ),
        this.form.node, this.facts,
      ),
    ];
    root.append(el("div", { class: "queue" }, ...this.sides), this.candidates, this.help);
  }

  link(step, text) {
    return el("a", {
      click: (event) => {
        if (!isPlainClick(event)) return;
        event.preventDefault();
        if (!this.isWaiting()) this.go(step);
      },
    }, text);
  }

  update({ data, setTriggerValue }) {
    this.data = data;
    this.actions.connect((value) => setTriggerValue("actions", value), () => this.draw());
    this.keepPictures();
    this.actions.acknowledge(data.handled);
    // What the server shows is behind as long as it has not heard where the browser went.
    if (!this.actions.has("open")) this.at = data.at;
    this.draw();
    if (!this.actions.pending.length && data.items.some(({ id }) => !this.pictures.has(id))) {
      this.actions.add("more", data.at);
    }
  }

  keepPictures() {
    const near = new Set([this.at, ...this.data.items.map((item) => item.id)]);
    for (const id of this.pictures.keys()) if (!near.has(id)) this.pictures.delete(id);
    for (const { id, problem, ...photo } of this.data.pictures) {
      if (photo.version && this.pictures.get(id)?.photo?.version === photo.version) continue;
      const pictures = photo.version ? new Pictures({ id, problem, ...photo }) : { isReady: true, problem };
      // Loaded ahead, it appears in the frame in which the form changes.
      pictures.onChange = () => this.draw();
      this.pictures.set(id, pictures);
    }
  }

  index() {
    return this.data.items.findIndex((item) => item.id === this.at);
  }

  isWaiting() {
    return this.actions.has(...PASSING) || (this.at !== null && !this.pictures.get(this.at)?.isReady);
  }

  draw() {
    const item = this.data.items[this.index()];
    const waits = this.isWaiting();
    this.root.classList.toggle("is-empty", !item);
    if (item) this.drawItem(item, waits);
    else this.form.show({ id: 0, tags: [], note: "", status: "" }, this.data);
    this.form.node.disabled ||= waits;
    this.root.setAttribute("aria-busy", String(waits));
  }

  drawItem(item, waits) {
    const pictures = this.pictures.get(item.id);
    const shown = waits || !pictures.photo
      ? el("p", { class: waits ? "words" : "alert" }, waits ? "Loading the image…" : pictures.problem)
      : this.photo.node;
    if (this.picture.firstChild !== shown) this.picture.replaceChildren(shown);
    if (shown === this.photo.node) this.photo.show(pictures);
    this.root.dataset.seen = waits ? "" : String(item.id);
    const name = [item.name, item.problem, pictures?.photo?.problem].filter(Boolean).join(" · ");
    if (this.name.textContent !== name) this.name.textContent = name;
    this.detail.setAttribute("href", item.detail);
    for (const [link, step] of [[this.previous, -1], [this.next, 1]]) {
      const to = this.data.items[this.index() + step];
      if (to) link.setAttribute("href", to.href);
      else link.removeAttribute("href");
    }
    if (this.drawn !== item) {
      this.drawn = item;
      this.facts.replaceChildren(...item.facts.flatMap(
        ([term, text]) => [el("dt", {}, term), el("dd", {}, el("bdi", {}, text))],
      ));
      this.candidates.replaceChildren(...item.candidates.map(ranking).filter(Boolean));
    }
    this.form.show(item, this.data);
  }

  go(step) {
    const to = this.data.items[this.index() + step];
    this.form.keepNote();
    if (to) {
      this.at = to.id;
      this.actions.add("open", to.id);
    } else if (step > 0) this.actions.add("next", this.at);
    // The images before this one are not known yet while the server hears of it.
    else if (this.actions.has("open")) this.actions.add("previous", this.at);
  }

  press(event) {
    const name = pressed(this, event);
    if (name === null) return;
    if (!this.isWaiting() && this.index() >= 0 && this.photo.press(event)) leave(event);
    else if (name.length > 1 && !/^(Arrow|Shift\+.$)/.test(name)) return;
    else if (this.isWaiting() || (this.index() < 0 && !name.endsWith("u"))) leave(event);
    else if (name === "j" || name === "ArrowRight") this.go(1);
    else if (name === "k" || name === "ArrowLeft") this.go(-1);
    else if (name === "t") this.form.own.focus();
    else if (name === "n") this.form.note.focus();
    else if (!this.form.press(event)) return;
    leave(event);
  }
}

function ranking([title, rows]) {
  if (!rows.length) return null;
  const bars = rows.map(({ name, label, per_cent: share, role }) => {
    const bar = el("span", { class: `bar is-${role}`, "aria-hidden": "true" });
    bar.style.width = `${Math.min(100, share)}%`;
    return el(
      "li", {}, el("span", { class: "name", title: name }, el("bdi", {}, name)),
      el("span", { class: "track" }, bar), el("span", { class: "share" }, label),
    );
  });
  return el("section", {}, el("h2", {}, title), el("ol", {}, ...bars));
}

export default function (component) {
  mount(Queue, component);
}
