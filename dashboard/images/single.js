// The triage of one image: the form on the page itself, and the way to its neighbours.

class Single {
  constructor(root) {
    this.root = root;
    this.actions = new Actions();
    this.help = helpDialog();
    this.form = new TriageForm(this.actions, {
      onDone: () => this.form.node.getRootNode().activeElement?.blur(),
      onHelp: () => this.help.showModal(),
    });
    this.previous = this.link("previous", "← Previous");
    this.next = this.link("next", "Next →");
    root.append(
      el("nav", { class: "steps", "aria-label": "Images" }, this.previous, this.next),
      this.form.node, this.help,
    );
  }

  link(name, text) {
    return el("a", {
      click: (event) => {
        if (!isPlainClick(event)) return;
        event.preventDefault();
        this.go(name);
      },
    }, text);
  }

  update({ data, setTriggerValue }) {
    this.data = data;
    this.actions.connect(
      (value) => setTriggerValue("actions", value), () => this.form.show(this.data.image, this.data),
    );
    this.actions.acknowledge(data.handled);
    for (const name of ["previous", "next"]) {
      if (data[name]) this[name].setAttribute("href", data[name].href);
      else this[name].removeAttribute("href");
    }
    this.form.show(data.image, data);
  }

  go(name) {
    if (!this.data[name] || this.actions.has("open")) return;
    this.form.keepNote();
    this.actions.add("open", this.data[name].id, name);
  }

  press(event) {
    const name = pressed(this, event);
    if (name === null) return;
    if (name === "j" || name === "ArrowRight") this.go("next");
    else if (name === "k" || name === "ArrowLeft") this.go("previous");
    // Until the image that was asked for is there, a key would act on the one that is left.
    else if (name.length === 1 && this.actions.has("open")) return leave(event);
    else if (name === "t") this.form.own.focus();
    else if (name === "n") this.form.note.focus();
    else if (!this.form.press(event)) return;
    leave(event);
  }
}

export default function (component) {
  mount(Single, component);
}
