// What pages can do beside being whole without it: parts marked with data-live are brought up to date in place,
// distances in time stay true, "/" goes to the search. No part of a page is made here.
"use strict";

(() => {
  const main = document.getElementById("main");
  const said = document.getElementById("said");
  const every = Number(main?.dataset.refresh || 0) * 1000;
  const longest = 60000;
  // How long an answer may take; a server whose store hangs would else leave the page as it is without a word.
  const patience = 8000;
  // Clocks of browsers are often wrong: distances count from what the server's clock showed.
  let ahead = 0;
  let failures = 0;
  let timer = 0;

  const setClock = (root) => {
    ahead = new Date(root.documentElement.dataset.now) - Date.now() || 0;
  };

  // -- distances in time: the same table as looks.py -----------------------------------------------------------
  const units = [["year", 31557600], ["month", 2629800], ["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  const relative = (then) => {
    const seconds = (then - Date.now() - ahead) / 1000;
    const far = Math.abs(seconds);
    if (far < 1) return "now";
    const [unit, size] = units.find(([, size]) => far >= size * 1.5) || units[units.length - 1];
    const number = Math.round(far / size);
    const words = `${number} ${unit}${number !== 1 && unit.length >= 3 && unit !== "min" ? "s" : ""}`;
    return seconds > 0 ? `in ${words}` : `${words} ago`;
  };

  const lasting = (words) => (words === "now" ? "a moment" : words.replace(/^in | ago$/, ""));

  const tellDistances = () => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const distance = relative(new Date(time.dateTime));
      const words = time.dataset.relative === "lasting" ? lasting(distance) : distance;
      if (time.textContent !== words) time.textContent = words;
    }
  };

  // -- bringing parts up to date: what is equal stays, and with it focus, selection and scrolling ---------------
  const isAlike = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id || "") === (other.id || "");

  const adopt = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    const isKept = (name) => name === "open" && old.nodeName === "DETAILS";
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !isKept(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !isKept(name)) old.setAttribute(name, value);
    }
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      let found = at;
      // A thing with a name of its own may have moved down because something came before it.
      if (at && wanted.id && !isAlike(at, wanted)) {
        found = [...old.children].find((child) => child.id === wanted.id && isAlike(child, wanted)) || at;
      }
      if (found && isAlike(found, wanted)) {
        if (found !== at) old.insertBefore(found, at);
        else at = at.nextSibling;
        adopt(found, wanted);
      } else {
        old.insertBefore(document.importNode(wanted, true), at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  const say = (text) => {
    if (said && said.textContent !== text) said.textContent = text;
  };

  const refusals = {
    404: "This is not there any more.",
    503: "The store does not answer; it is asked again and again.",
  };

  const refresh = async () => {
    try {
      const answer = await fetch(location.href, {
        headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(patience),
      });
      if (answer.redirected) {
        location.reload();
        return;
      }
      if (!answer.ok) {
        failures += 1;
        say(`${refusals[answer.status] || "The server cannot show this page at the moment."} What you see is how it was.`);
        plan();
        return;
      }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      setClock(fresh);
      const pairs = [...document.querySelectorAll("[data-live][id]")].map((old) => [old, fresh.getElementById(old.id)]);
      // What is not there any more cannot be brought up to date: the page is another one by now.
      if (pairs.some(([, wanted]) => !wanted)) {
        location.reload();
        return;
      }
      for (const [old, wanted] of pairs) adopt(old, wanted);
      const seen = [document, fresh].map((root) => root.querySelector(".seen"));
      if (seen[0] && seen[1]) seen[0].textContent = seen[1].textContent;
      tellDistances();
      failures = 0;
      say("");
    } catch {
      failures += 1;
      if (failures > 1) say("The server does not answer. What you see is how it was; it is asked again and again.");
    }
    plan();
  };

  const plan = () => {
    clearTimeout(timer);
    if (every && !document.hidden) timer = setTimeout(refresh, Math.min(every * 2 ** failures, longest));
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (every && !document.hidden) refresh();
  });

  // -- keys ----------------------------------------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea, [contenteditable]")) return;
    event.preventDefault();
    const search = document.querySelector("input[type=search]");
    if (search) search.focus();
    else location.assign("/records");
  });

  // A second press while the first is on its way would do it twice.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    for (const button of event.target.querySelectorAll("button")) setTimeout(() => (button.disabled = true));
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
  });

  setClock(document);
  tellDistances();
  setInterval(tellDistances, 1000);
  plan();
})();
