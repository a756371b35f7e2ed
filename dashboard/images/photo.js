// The photo of a page, by itself.

class Photo {
  constructor(root) {
    this.root = root;
    this.view = new PhotoView();
    root.append(this.view.node);
  }

  update({ data }) {
    const shown = this.view.photo;
    if (shown?.id === data.id && shown.version === data.version) return;
    this.view.show(new Pictures(data));
  }

  press(event) {
    if (!belongsElsewhere(event, this.root) && this.view.press(event)) leave(event);
  }
}

export default function (component) {
  mount(Photo, component);
}
