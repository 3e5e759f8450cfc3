// What the pages that watch share: elements from data (always as text), one question in time, one stream of news.
(() => {
  const page = window.ngatuPage;
  const t = (key) => page.texts[key] ?? key;
  const locale = page.language === 'en' ? 'en-GB' : 'vi-VN';
  const VN = 'Asia/Ho_Chi_Minh';
  const put = (made, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {}))
      if (value !== null && value !== undefined && value !== '') made.setAttribute(name, value);
    for (const child of children) if (child !== null && child !== undefined) made.append(child);
    return made;
  };
  const el = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    put(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
  const number = (value, digits = 0) => value === null || value === undefined ? '–'
    : value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const clock = (ms, options) => new Date(ms).toLocaleString(locale, { timeZone: VN, hour12: false, ...options });
  const time = (ms) => clock(ms, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const day = (ms) => clock(ms, { day: '2-digit', month: '2-digit' });
  const ago = (ms, now) => {
    const s = Math.max(0, Math.round((now - ms) / 1000));
    if (s < 90) return `${s} s`;
    if (s < 5400) return `${Math.round(s / 60)} ${t('minutes_short')}`;
    return s < 172800 ? `${Math.round(s / 3600)} ${t('hours_short')}` : `${Math.round(s / 86400)} ${t('days')}`;
  };
  const COLORS = { red_light: '#e5484d', wrong_way: '#f2711c', speeding: '#f5b301', wrong_lane: '#3b82f6',
    solid_line: '#06aed4', stop_line: '#ec4899', illegal_stop: '#8b5cf6', u_turn: '#14a38b', banned_turn: '#0d8a72',
    restricted_hours: '#5aa02c', pavement: '#a1795b', no_helmet: '#6366f1', too_many_riders: '#c026d3',
    motorway_intruder: '#be123c', stalled: '#94a3b8', intrusion: '#0ea5e9', loitering: '#7c93ad', crowd: '#0284c7',
    abandoned_object: '#b08900' };
  const SPARE = ['#3b82f6', '#14a38b', '#f5b301', '#8b5cf6', '#f2711c', '#06aed4', '#ec4899', '#5aa02c', '#94a3b8'];
  const colorOf = (rule) => COLORS[rule] ?? SPARE[[...rule].reduce((a, c) => a + c.charCodeAt(0), 0) % SPARE.length];
  const ruleName = (rule) => page.texts[`rule.${rule}`] ?? rule.replaceAll('_', ' ');
  // State is told by shape as well as by colour.
  const STATES = { up: ['good', '●'], connecting: ['warn', '◌'], stalled: ['warn', '▲'], down: ['bad', '✕'],
    silent: ['bad', '◯'], stopped: ['off', '■'] };
  const stateOf = (state) => STATES[state] ?? ['warn', '?'];
  const stateMark = (state) => el('span', { class: `mark ${stateOf(state)[0]}`, 'aria-hidden': 'true' }, stateOf(state)[1]);
  const poll = (url, everyMs, take, lost) => {
    let timer = 0, asking = false;
    const ask = async () => {
      clearTimeout(timer);
      if (asking) return;
      asking = true;
      try {
        const answer = await fetch(url, { headers: { accept: 'application/json' } });
        if (answer.status === 401 || answer.status === 403) { location.href = '/login'; return; }
        if (!answer.ok) throw new Error(String(answer.status));
        take(await answer.json());
      } catch (error) { lost(error); } finally { asking = false; }
      timer = setTimeout(ask, everyMs);
    };
    ask();
    return () => { clearTimeout(timer); timer = setTimeout(ask, 700); };
  };
  // Workers speak English; what they say most often is told in the reader's language, part by part.
  const SAYINGS = (page.sayings ?? []).map(([pattern, words]) => [new RegExp(`^${pattern}`, 's'), words]);
  const said = (text) => {
    for (const [pattern, words] of SAYINGS) {
      const [found] = pattern.exec(text) ?? [];
      if (!found) continue;
      const rest = text.slice(found.length), link = /^[:;] /.exec(rest)?.[0] ?? '';
      return found.replace(pattern, words) + link + (link ? said(rest.slice(link.length)) : rest);
    }
    return text;
  };
  const ready = (selector, run) => {
    const found = document.querySelector(selector);
    if (found) run(found); else setTimeout(() => ready(selector, run), 30);
  };
  window.ngatuLive = { page, t, el, svg, number, clock, time, day, ago, colorOf, SPARE, ruleName, stateOf, stateMark, poll, said, ready };
})();
