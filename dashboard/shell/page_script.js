// Make whole rows of tables clickable, a click one step of the history, and Back return to where one
// was.

const PICKABLE = "[class*='st-key-pick_row_']";
const HEADER_REM = 2.1875; // height of the header row
const MARKER_PIXELS = 16; // from the left edge to the middle of a row's box
const MOST_MOVE_PIXELS = 4; // of a click; more is a drag
const SETTLED_MS = 500;
const MOST_WAIT_MS = 30_000;

const main = () => document.querySelector("[data-testid=stMain]");
const isRunning = () => document.querySelector("[data-test-script-state=running]") !== null;

// Rows. Streamlit's table chooses a row by the box at its left: a click elsewhere goes there.

let pressed = null;

function pickRow(event) {
  const table = event.target.closest?.(PICKABLE);
  const canvas = table?.querySelector("canvas");
  if (!event.isTrusted || !canvas || !event.target.closest("[data-testid=stDataFrame]")) return;
  if (event.target.closest("button, input, [data-testid=stElementToolbar]")) return;
  const box = canvas.getBoundingClientRect();
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const moved = pressed ? Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) : 0;
  const isInRows = event.clientY > box.top + HEADER_REM * rem && event.clientY < box.bottom;
  const isOnBox = event.clientX < box.left + 2 * MARKER_PIXELS;
  if (moved > MOST_MOVE_PIXELS || !isInRows || isOnBox) return;
  const at = {
    clientX: box.left + MARKER_PIXELS, clientY: event.clientY, bubbles: true, cancelable: true,
    composed: true, pointerId: 1, pointerType: "mouse", isPrimary: true, view: window,
  };
  for (const type of ["move", "down", "up"]) {
    canvas.dispatchEvent(new PointerEvent(`pointer${type}`, at));
    canvas.dispatchEvent(new MouseEvent(`mouse${type}`, at));
  }
  canvas.dispatchEvent(new MouseEvent("click", at));
}

// Steps. Streamlit pushes an entry for the new parameters and one for the new page: both are one step.

let hasActed = false; // since the last entry

function pushOnce() {
  const push = history.pushState.bind(history);
  history.pushState = (...entry) => {
    if (hasActed) push(...entry);
    else history.replaceState(...entry);
    hasActed = false;
  };
  document.addEventListener("click", () => { hasActed = true; }, true);
}

// Scrolling. An entry of the history keeps its position, as its page is drawn again after Back.

let wanted = null; // the position to scroll to
let timer = 0;

function keep() {
  if (wanted !== null || !main()) return;
  history.replaceState({ ...history.state, scrollTop: main().scrollTop }, "");
}

function restore(scrollTop) {
  if (typeof scrollTop !== "number") return;
  wanted = scrollTop;
  const began = performance.now();
  let settled = began;
  const step = () => {
    const now = performance.now();
    if (wanted === null) return;
    if (main()) main().scrollTop = wanted;
    if (isRunning() || !main() || Math.abs(main().scrollTop - wanted) > 1) settled = now;
    if (now - settled > SETTLED_MS || now - began > MOST_WAIT_MS) leave();
    else requestAnimationFrame(step);
  };
  step();
}

function leave() {
  wanted = null;
}

function press(event) {
  if (!event.isTrusted) return;
  leave();
  keep();
  hasActed = true;
  if (event.type === "pointerdown") pressed = { x: event.clientX, y: event.clientY };
}

function install() {
  pushOnce();
  document.addEventListener("click", pickRow, true);
  for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, press, true);
  for (const type of ["wheel", "touchmove"]) {
    document.addEventListener(type, leave, { capture: true, passive: true });
  }
  document.addEventListener("scroll", (event) => {
    if (event.target !== main()) return;
    clearTimeout(timer);
    timer = setTimeout(keep, 100);
  }, true);
  window.addEventListener("popstate", (event) => {
    clearTimeout(timer);
    leave();
    hasActed = false;
    restore(event.state?.scrollTop);
  });
  restore(history.state?.scrollTop);
}

export default function () {
  if (window.streetclipPage) return;
  window.streetclipPage = true;
  install();
}
