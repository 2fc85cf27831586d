// @ts-check
/**
 * @file A word of the client's choosing that ends and clears at once when it is typed, as the quick exit does:
 * in any field of the page, before it is sent, and with no field at all. It is kept in this tab only.
 */

import { leave } from "./exit.js";

const KEY = "teduh.word";
const MIN_LETTERS = 3;

/** @param {string} text */
const plain = (text) => text.normalize("NFC").toLocaleLowerCase().trim();

/** The word that was chosen; empty without one. */
function chosen() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** Whether a text holds the word by itself. @param {string} text */
function holds(text) {
  const word = chosen();
  return word !== "" && plain(text).split(/[^\p{L}\p{N}]+/u).includes(word);
}

document.addEventListener("input", (event) => {
  const field = event.target;
  const typed = field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement;
  if (typed && field.id !== "word-new" && holds(field.value)) leave();
});

let keys = "";
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
  keys = (keys + event.key).slice(-80);
  const word = chosen();
  if (word !== "" && plain(keys).endsWith(word)) leave();
});

const box = document.getElementById("word");
const form = document.getElementById("word-choose");
const field = document.getElementById("word-new");
const wrong = document.getElementById("word-wrong");
const here = document.getElementById("word-here");
const type = document.getElementById("word-type");
const off = document.getElementById("word-off");

if (box && form && field instanceof HTMLInputElement && wrong && here && type && off) {
  const show = () => {
    const is = chosen() !== "";
    form.hidden = is;
    here.hidden = !is;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const word = plain(field.value);
    const fits = new RegExp(`^[\\p{L}\\p{N}]{${MIN_LETTERS},}$`, "u").test(word);
    wrong.hidden = fits;
    field.setAttribute("aria-invalid", String(!fits));
    if (!fits) {
      field.focus();
      return;
    }
    try {
      sessionStorage.setItem(KEY, word);
    } catch {
      // A browser that keeps nothing keeps no word either; the button stays.
    }
    field.value = "";
    show();
    type.focus();
  });
  off.addEventListener("click", () => {
    sessionStorage.removeItem(KEY);
    show();
    field.focus();
  });
  box.hidden = false;
  show();
}
