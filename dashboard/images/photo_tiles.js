// Pictures of one photo: a small one of the whole, then tiles of the level of detail in need.
//
// Level n has one pixel for 2ⁿ × 2ⁿ of the photo. Tiles are asked for when they are seen, and the
// server cuts them; until they come, coarser ones show.

const MOST_TILES = 160;
const COARSEST_PIXEL = 4; // from this scale on, the photo's pixels are drawn as squares

class Pictures {
  // `photo`: data of `image_detail.photo_data`. What shows the pictures sets `onChange`.
  constructor(photo) {
    this.photo = photo;
    this.onChange = () => {};
    this.tiles = new Map(); // those seen last at the end
    this.finest = 0; // of the levels that the server can cut
    this.problem = "";
    this.small = this.load("", () => {
      this.problem = "The picture could not be loaded. Reload the page.";
    });
  }

  // Whether the whole photo can be shown, or why not is known.
  get isReady() {
    return isLoaded(this.small) || Boolean(this.problem);
  }

  load(part, onError) {
    const picture = new Image();
    picture.addEventListener("load", () => this.onChange());
    picture.addEventListener("error", () => {
      onError();
      this.onChange();
    });
    const base = window.__streamlit?.BACKEND_BASE_URL ?? document.baseURI;
    const { id, version } = this.photo;
    picture.src = new URL(`image/${id}${part}?v=${version}`, base).href;
    return picture;
  }

  // Draw on a canvas the photo whose left top corner is there, at a scale in pixels of the canvas.
  // True if nothing is missing; tiles are asked for if `mayAsk`.
  draw(canvas, left, top, scale, mayAsk) {
    const { width, height, side } = this.photo;
    const paper = canvas.getContext("2d");
    paper.clearRect(0, 0, canvas.width, canvas.height);
    paper.imageSmoothingEnabled = scale < COARSEST_PIXEL;
    paper.imageSmoothingQuality = "high";
    // Rounded alike for neighbours, so that no seam shows.
    const paint = (picture, x, y, across, down) => {
      const [x0, y0] = [Math.round(left + x * scale), Math.round(top + y * scale)];
      const x1 = Math.round(left + Math.min(width, x + across) * scale);
      const y1 = Math.round(top + Math.min(height, y + down) * scale);
      paper.drawImage(picture, x0, y0, x1 - x0, y1 - y0);
    };
    if (!isLoaded(this.small)) return false;
    paint(this.small, 0, 0, width, height);
    const level = this.levelFor(scale);
    if (level === null) return true;
    const reach = side * 2 ** level; // pixels of the photo in a tile
    const isComplete = places(left, canvas.width, width, reach * scale, reach)
      .flatMap((column) => places(top, canvas.height, height, reach * scale, reach)
        .map((row) => isLoaded(this.tile(level, column, row, mayAsk))))
      .every(Boolean);
    const coarsestFirst = [...this.tiles.values()].sort((one, other) => other.level - one.level);
    for (const { level: its, column, row, picture } of coarsestFirst) {
      const size = 2 ** its;
      if (its < level || !isLoaded(picture)) continue;
      paint(
        picture, column * side * size, row * side * size,
        picture.naturalWidth * size, picture.naturalHeight * size,
      );
    }
    return isComplete;
  }

  // The level of which a pixel is at most one of the screen's; null where the small one is as good.
  levelFor(scale) {
    const level = Math.max(this.finest, Math.floor(Math.log2(1 / Math.min(1, scale))));
    const share = this.small.naturalWidth / this.photo.width;
    const isFiner = share < 1 ? 2 ** -level > share : level === 0 && scale > 1;
    return isFiner ? level : null;
  }

  tile(level, column, row, mayAsk) {
    const name = `/${level}/${column}/${row}`;
    const found = this.tiles.get(name);
    if (!found && !mayAsk) return null;
    const refuse = () => {
      this.finest = Math.max(this.finest, level + 1);
      this.problem = "More detail of this photo could not be loaded.";
    };
    const kept = found ?? { level, column, row, picture: this.load(name, refuse) };
    this.tiles.delete(name);
    this.tiles.set(name, kept);
    for (const oldest of [...this.tiles.keys()].slice(0, -MOST_TILES)) this.tiles.delete(oldest);
    return kept.picture;
  }
}

// Numbers of the tiles, of some pixels each, that are seen along one axis.
function places(start, seen, whole, pixels, reach) {
  const first = Math.max(0, Math.floor(-start / pixels));
  const end = Math.min(Math.ceil(whole / reach), Math.ceil((seen - start) / pixels));
  return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
}

function isLoaded(picture) {
  return Boolean(picture?.complete && picture.naturalWidth);
}
