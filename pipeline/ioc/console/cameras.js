// The cameras: which of them see, since when they do not and why, what each last told of.
(() => {
  const { page, t, el, number, clock, time, ago, ruleName, stateOf, stateMark, poll, said, ready } = window.ngatuLive;
  const EVERY_MS = 5000, ORDER = { bad: 0, warn: 1, off: 2, good: 3 };
  ready('.cams', (root) => {
    const listing = el('div', { class: 'listing' }), beside = el('aside', { class: 'beside', 'aria-live': 'off' });
    const summary = el('div', { class: 'chips summary' }), wanted = el('input', { type: 'search', placeholder: t('cameras_find'), 'aria-label': t('cameras_find') });
    const counts = el('span', { class: 'summary', style: 'margin:0' }), rows = el('tbody');
    summary.append(wanted, counts);
    listing.append(summary, el('table', {}, el('thead', {}, el('tr', {}, ...['camera', 'area', 'state', 'cameras_reason'].map((key) => el('th', {}, t(key))),
      ...['cameras_since', 'cameras_heard', 'wall_today'].map((key) => el('th', { class: 'num' }, t(key))))), rows));
    root.replaceChildren(listing, beside);
    let cameras = [], now = Date.now(), chosen = new URLSearchParams(location.search).get('camera');
    const draw = () => {
      const text = wanted.value.trim().toLowerCase();
      const shown = cameras.filter((one) => `${one.id} ${one.name} ${one.place} ${page.areas[one.area] ?? ''}`.toLowerCase().includes(text))
        .sort((a, b) => ORDER[stateOf(a.state)[0]] - ORDER[stateOf(b.state)[0]] || a.name.localeCompare(b.name)).slice(0, 500);
      const states = new Map();
      for (const one of cameras) states.set(one.state, (states.get(one.state) ?? 0) + 1);
      counts.replaceChildren(...[...states].map(([state, count]) => el('span', { class: 'chip' }, stateMark(state), `${t(`camera_state.${state}`)}: ${count}`)));
      const focus = document.activeElement?.dataset?.camera;
      rows.replaceChildren(...shown.map((one) => {
        const row = el('tr', { tabindex: '0', 'data-camera': one.id, class: one.id === chosen ? 'on' : '' },
          el('td', {}, el('div', { class: 'main' }, one.name), el('div', { class: 'sub' }, `${one.place} · ${one.id}`)),
          el('td', {}, page.areas[one.area] ?? one.area), el('td', {}, stateMark(one.state), ` ${t(`camera_state.${one.state}`)}`),
          el('td', {}, el('div', { class: 'sub why' }, said(one.reason) || '–')),
          el('td', { class: 'num' }, one.since_ms ? ago(one.since_ms, now) : '–'), el('td', { class: 'num' }, one.seen_ms ? ago(one.seen_ms, now) : '–'),
          el('td', { class: 'num' }, number(one.today)));
        // What the page asks by itself keeps no session alive: who chooses says that somebody sits here.
        const choose = () => { chosen = one.id; still.classList.add('gone'); draw(); show(); look(); fetch('/api/v1/me').catch(() => {}); };
        row.addEventListener('click', choose);
        row.addEventListener('keydown', (e) => { if (e.key === 'Enter') choose(); });
        return row;
      }));
      if (focus) rows.querySelector(`[data-camera="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    };
    // One picture of the chosen camera, asked for again while it is looked at.
    const still = el('img', { class: 'livestill gone', alt: t('cameras_still') });
    still.addEventListener('load', () => still.classList.remove('gone'));
    still.addEventListener('error', () => still.classList.add('gone'));
    const look = () => {
      const one = cameras.find((camera) => camera.id === chosen);
      if (!one?.still) { still.classList.add('gone'); still.removeAttribute('src'); return; }
      still.src = `/api/v1/cameras/${encodeURIComponent(chosen)}/still?at=${Date.now()}`;
    };
    const moment = (ms) => `${clock(ms, { day: '2-digit', month: '2-digit' })} ${time(ms)}`;
    const show = async () => {
      if (!chosen) { beside.replaceChildren(el('div', { class: 'none' }, t('cameras_choose'))); return; }
      const answer = await fetch(`/api/v1/cameras/${encodeURIComponent(chosen)}`);
      if (!answer.ok) { beside.replaceChildren(el('div', { class: 'none' }, t('not_yours'))); return; }
      const one = await answer.json();
      if (one.id !== chosen) return;
      const line = (ms, ...what) => el('div', {}, el('span', { class: 'num' }, moment(ms)), el('span', {}, ...what));
      beside.replaceChildren(el('h2', {}, one.name), el('div', { class: 'sub' }, `${one.place} · ${page.areas[one.area] ?? one.area} · ${one.id}`),
        still, ...(page.draws && cameras.find((camera) => camera.id === one.id)?.still
          ? [el('a', { class: 'act small-act', href: `/cameras/${encodeURIComponent(one.id)}/scene` }, t('cameras_draw'))] : []),
        el('h3', {}, t('cameras_health')), el('div', { class: 'log' }, ...(one.health.length ? one.health.map((h) => line(h.at_ms,
          stateMark(h.state), ` ${t(`camera_state.${h.state}`)}`, h.fits_scene === false ? el('div', { class: 'tag warn' }, t('cameras_moved')) : null,
          h.reason ? el('div', { class: 'sub wrap' }, said(h.reason)) : null, ...h.notices.map((text) => el('div', { class: 'sub wrap' }, said(text))),
          el('div', { class: 'sub' }, h.video))) : [el('div', { class: 'sub' }, t('wall_nothing'))])),
        el('h3', {}, t('cameras_acts')), el('div', { class: 'log' }, ...(one.acts.length ? one.acts.map((act) => {
          const what = [el('span', { class: 'num' }, moment(act.at_ms)), el('span', {}, ruleName(act.rule), el('span', { class: 'sub' },
            ` · ${page.texts[`road_user.${act.road_user}`] ?? act.road_user} · ${page.texts[`state.${act.state}`] ?? act.state}`))];
          return page.sees ? el('a', { class: 'entryline', href: `/cases/${act.id}` }, ...what) : el('div', {}, ...what);
        }) : [el('div', { class: 'sub' }, t('wall_nothing'))])));
    };
    wanted.addEventListener('input', draw);
    show();
    let turn = 0, offered = '';
    poll('/api/v1/cameras', EVERY_MS, (fresh) => {
      cameras = fresh; now = Date.now(); draw();
      if (!chosen && rows.firstChild) { chosen = rows.firstChild.dataset.camera; draw(); show(); }
      const now_ = fresh.filter((one) => one.still).map((one) => one.id).join();
      if (chosen && (turn++ % 3 === 2 || now_ !== offered)) show();
      offered = now_;
      look();
    }, () => {});
  });
})();
