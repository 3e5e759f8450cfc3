// The wall: asks for everything every few seconds, hears of new cases at once, and keeps nothing but what it shows.
(() => {
  const { page, t, el, svg, number, clock, time, day, ago, colorOf, SPARE, ruleName, stateOf, stateMark, poll, said, ready } = window.ngatuLive;
  const LAST = 16, EVERY_MS = 5000, TURN_MS = 20000, FRESH_MS = 8000;
  const areaName = (path) => page.areas[path] ?? path;
  let data = null, last = [], seen = new Map(), touched = false, skewMs = 0;
  let trend = { per: 'hours', by: 'by_kind' };

  const panel = (name, title, ...more) => el('section', { class: `panel ${name}`, 'aria-label': title },
    el('div', { class: 't' }, title, el('span', { class: 'grow' }), ...more), el('div', { class: 'body' }));
  const body = (root, name) => root.querySelector(`.${name} .body`);
  const fill = (at, ...children) => at.replaceChildren(...children.filter((one) => one !== null));
  const nothing = () => el('div', { class: 'sub empty' }, t('wall_nothing'));

  const tile = (name, title, value, sub, kind) => el('div', { class: `tile ${kind || ''}`, 'data-tile': name },
    el('div', { class: 'k' }, title), el('div', { class: 'v' }, value), el('div', { class: 's' }, sub ?? ''));

  const drawTiles = (at) => {
    const sum = data.totals, decided = sum.confirmed + sum.rejected;
    const up = data.cameras.filter((one) => one.state === 'up').length, all = data.cameras.length;
    const flows = data.roads.filter((one) => one.vehicles_per_hour !== null);
    const flow = flows.reduce((a, one) => a + one.vehicles_per_hour, 0);
    const fast = flows.filter((one) => one.speed_kmh !== null);
    const weight = fast.reduce((a, one) => a + one.vehicles_per_hour, 0);
    const speed = weight ? fast.reduce((a, one) => a + one.speed_kmh * one.vehicles_per_hour, 0) / weight : null;
    const change = sum.yesterday ? Math.round(100 * (sum.violations - sum.yesterday) / sum.yesterday) : null;
    const compared = change === null ? `${t('wall_incomplete')}: ${number(sum.incomplete)}`
      : `${change > 0 ? '▲' : change < 0 ? '▼' : '='} ${number(Math.abs(change))} % ${t('wall_than_yesterday')}`;
    fill(at,
      tile('violations', t('wall_violations'), number(sum.violations), compared),
      tile('waiting', t('wall_waiting'), sum.waiting >= 1000 ? '1000+' : number(sum.waiting), t('wall_waiting_sub')),
      tile('confirmed', t('wall_confirmed'), number(sum.confirmed),
        decided ? `${number(100 * sum.confirmed / decided)} % ${t('wall_of_decided')}` : t('wall_none_decided')),
      tile('security', t('wall_security'), number(sum.security), t('wall_today')),
      tile('cameras', t('wall_cameras'), `${number(up)}/${number(all)}`,
        up === all ? t('wall_all_up') : `${number(all - up)} ${t('wall_not_up')}`, up === all ? '' : 'alarm'),
      tile('flow', t('wall_flow'), number(flows.length ? flow : null),
        speed === null ? t('per_hour') : `${t('per_hour')} · ${number(speed)} km/h`),
      el('div', { class: 'tile now' }, el('div', { class: 'v clock' }, time(Date.now() + skewMs)),
        el('div', { class: 's' }, clock(data.now_ms, { weekday: 'long', day: '2-digit', month: '2-digit', year: 'numeric' })),
        el('div', { class: 's on' }, el('span', { class: 'dot' }), t('wall_live'))));
  };

  const drawLast = (at) => {
    const rows = last.slice(0, LAST).map((one) => {
      const fresh = Date.now() - (seen.get(one.id) ?? 0) < FRESH_MS;
      const row = el('a', { class: `event${fresh ? ' fresh' : ''}`, href: `/cases/${one.id}`, style: `--c:${colorOf(one.rule)}` },
        el('img', { src: `/api/v1/cases/${one.id}/thumbnail`, alt: '', loading: 'lazy' }),
        el('div', { class: 'what' },
          el('div', { class: 'line' }, el('span', { class: 'main' }, ruleName(one.rule)), el('span', { class: 'num' }, time(one.at_ms))),
          el('div', { class: 'line' }, el('span', { class: 'sub' }, one.place), one.plate ? el('span', { class: 'plate' }, one.plate)
            : el('span', { class: 'num' }, page.texts[`road_user.${one.road_user}`] ?? one.road_user))));
      row.firstChild.addEventListener('error', (e) => e.target.classList.add('gone'), { once: true });
      return row;
    });
    // Rows that stay are kept: their pictures do not flicker.
    const kept = new Map([...at.children].map((row) => [row.getAttribute('href'), row]));
    fill(at, ...rows.map((row) => {
      const old = kept.get(row.getAttribute('href'));
      if (!old) return row;
      old.className = row.className;
      return old;
    }), last.length ? null : nothing());
  };

  const bars = (rows, none) => {
    const most = Math.max(1, ...rows.map((row) => row.count));
    return rows.length ? el('div', { class: 'bars' }, ...rows.map((row) => el('div', { class: 'barrow' },
      el('span', { class: 'name', title: row.name }, row.name),
      el('span', { class: 'track' }, el('span', { style: `width:${Math.max(1.5, 100 * row.count / most)}%;background:${row.color}` })),
      el('span', { class: 'num' }, number(row.count))))) : none;
  };

  const drawKinds = (at) => fill(at, bars(data.kinds.map((one) =>
    ({ name: ruleName(one.rule), count: one.count, color: colorOf(one.rule) })), nothing()));
  const drawAreas = (at) => {
    const most = Math.max(1, ...data.areas.map((one) => one.violations + one.security));
    fill(at, data.areas.length ? el('div', { class: 'bars arealist' }, ...data.areas.map((one, i) => el('div', { class: 'arearow' },
      el('div', { class: 'line' }, el('b', {}, one.name), el('span', { class: 'num' }, number(one.violations + one.security))),
      el('span', { class: 'track' },
        el('span', { style: `width:${100 * one.violations / most}%;background:${SPARE[i % SPARE.length]}`, title: t('wall_violations') }),
        el('span', { style: `width:${100 * one.security / most}%;background:${SPARE[i % SPARE.length]}88`, title: t('wall_security') })),
      el('div', { class: 'line sub' }, el('span', {}, one.security ? `${number(one.violations)} + ${number(one.security)} ${t('wall_security_short')}` : t('wall_24h')),
        spark(data.hours.by_area[one.path] ?? Array(24).fill(0)))))) : nothing());
  };

  const drawTrend = (at) => {
    const series = data[trend.per], by = series[trend.by], per = trend.per === 'hours' ? 3600000 : 86400000;
    const total = (list) => list.reduce((a, b) => a + b, 0);
    let names = Object.keys(by).sort((a, b) => total(by[b]) - total(by[a]));
    const shown = names.slice(0, 7), rest = names.slice(7);
    const lists = shown.map((name, i) => ({ name: trend.by === 'by_kind' ? ruleName(name) : areaName(name), list: by[name],
      color: trend.by === 'by_kind' ? colorOf(name) : SPARE[Math.max(0, data.areas.findIndex((a) => a.path === name)) % SPARE.length] }));
    if (rest.length) lists.push({ name: t('wall_others'), color: '#8895a3',
      list: by[rest[0]].map((_, i) => rest.reduce((a, name) => a + by[name][i], 0)) });
    const steps = trend.per === 'hours' ? 24 : 30;
    const sums = Array.from({ length: steps }, (_, i) => lists.reduce((a, one) => a + one.list[i], 0));
    const most = nice(Math.max(4, ...sums));
    const width = Math.max(240, at.clientWidth), twice = width < 90 * lists.length;
    const height = Math.max(90, at.clientHeight - (twice ? 42 : 24)), left = 34, bottom = 18, top = 6, w = (width - left) / steps, h = height - bottom - top;
    const y = (value) => top + h - h * value / most;
    const chart = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': t('wall_trend') });
    for (const value of [0, most / 2, most]) chart.append(
      svg('line', { class: 'grid', x1: left, x2: width, y1: y(value), y2: y(value) }),
      svg('text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, number(value)));
    for (let i = 0; i < steps; i++) {
      const at_ms = series.from_ms + i * per, x = left + i * w;
      const group = svg('g', {}, svg('title', {}, `${label(at_ms)}: ${number(sums[i])}`));
      let low = 0;
      for (const one of lists) if (one.list[i]) {
        group.append(svg('rect', { x: x + w * .14, width: w * .72, y: y(low + one.list[i]), rx: Math.min(1.5, w * .1),
          height: Math.max(.5, y(low) - y(low + one.list[i])), fill: one.color }));
        low += one.list[i];
      }
      chart.append(group);
      const every = trend.per === 'hours' ? 3 : 5;
      if ((steps - 1 - i) % every === 0)
        chart.append(svg('text', { x: i === steps - 1 ? width : x + w / 2, y: height - 4,
          'text-anchor': i === steps - 1 ? 'end' : 'middle' }, label(at_ms)));
    }
    fill(at, chart, el('div', { class: twice ? 'legend twice' : 'legend' }, ...lists.map((one) =>
      el('span', {}, el('i', { style: `background:${one.color}` }), one.name))));
  };
  const label = (ms) => trend.per === 'hours' ? clock(ms, { hour: '2-digit' }).replace(/\D/g, '') + ':00' : day(ms);
  const nice = (value) => { const p = 10 ** Math.floor(Math.log10(value)); return [1, 2, 4, 6, 8, 10].map((n) => n * p).find((n) => n >= value); };

  const spark = (list) => {
    const most = Math.max(1, ...list.map((v) => v ?? 0)), w = 92, h = 22;
    const line = svg('svg', { viewBox: `0 0 ${w} ${h}`, width: w, height: h, 'aria-hidden': 'true' });
    list.forEach((v, i) => { if (v !== null) line.append(svg('rect', { x: i * w / 24 + .6, width: w / 24 - 1.2,
      y: h - Math.max(1, (h - 1) * v / most), height: Math.max(1, (h - 1) * v / most) })); });
    return line;
  };
  const drawRoads = (at) => {
    const names = new Map(data.cameras.map((one) => [one.id, one]));
    fill(at, data.roads.length ? el('div', { class: 'roads' }, ...data.roads.slice(0, 30).map((road) => {
      const jam = road.congested === null ? '' : road.congested >= .5 ? 'bad' : road.congested >= .15 ? 'warn' : 'good';
      return el('div', { class: 'road' },
        el('div', { class: 'line' }, el('b', { class: 'name', title: names.get(road.camera)?.place }, names.get(road.camera)?.name ?? road.camera),
          jam ? el('span', { class: `jam ${jam}` }, t(`wall_jam_${jam}`)) : null),
        el('div', { class: 'line sub' }, spark(road.flows), el('span', { class: 'num' }, el('b', {}, number(road.vehicles_per_hour)),
          ` ${t('per_hour_short')}  ·  `, el('b', {}, number(road.speed_kmh)), ' km/h')));
    })) : nothing());
  };

  const drawHot = (at) => {
    const names = new Map(data.cameras.map((one) => [one.id, one]));
    const most = Math.max(1, ...data.hot.map((one) => sumOf(one.rules)));
    fill(at, data.hot.length ? el('div', { class: 'bars hotlist' }, ...data.hot.map((one, i) => el('div', { class: 'barrow' },
      el('span', { class: 'rank' }, String(i + 1)),
      el('span', { class: 'name', title: names.get(one.camera)?.place ?? '' }, names.get(one.camera)?.name ?? one.camera),
      el('span', { class: 'track' }, ...Object.entries(one.rules).sort((a, b) => b[1] - a[1]).map(([rule, count]) =>
        el('span', { style: `width:${100 * count / most}%;background:${colorOf(rule)}`, title: `${ruleName(rule)}: ${count}` }))),
      el('span', { class: 'num' }, number(sumOf(one.rules)))))) : nothing());
  };
  const sumOf = (rules) => Object.values(rules).reduce((a, b) => a + b, 0);

  // Web Mercator in units of a world one wide: what tile servers use, and plain enough without any.
  const project = ([lat, lon]) => [(lon + 180) / 360,
    .5 - Math.log(Math.tan(Math.PI / 4 + lat * Math.PI / 360)) / (2 * Math.PI)];
  const drawMap = (at) => {
    const placed = data.cameras.filter((one) => one.position);
    if (!placed.length) { fill(at, grid(data.cameras)); return; }
    const points = placed.map((one) => project(one.position));
    const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
    const width = Math.max(240, at.clientWidth), height = Math.max(140, at.clientHeight);
    const span = Math.max((Math.max(...xs) - Math.min(...xs)) / (width - 150), (Math.max(...ys) - Math.min(...ys)) / (height - 120), 1e-6 / 400);
    let scale = 1 / span, zoom = Math.log2(scale / 256);
    if (page.map.tiles) { zoom = Math.min(18, Math.floor(zoom)); scale = 256 * 2 ** zoom; }
    const mx = (Math.max(...xs) + Math.min(...xs)) / 2, my = (Math.max(...ys) + Math.min(...ys)) / 2;
    const place = ([px, py]) => [width / 2 + (px - mx) * scale, height / 2 + (py - my) * scale];
    const map = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, class: 'map', role: 'img', 'aria-label': t('wall_map') });
    if (page.map.tiles) {
      const n = 2 ** zoom, x0 = Math.floor((mx - width / 2 / scale) * n), x1 = Math.floor((mx + width / 2 / scale) * n);
      const y0 = Math.floor((my - height / 2 / scale) * n), y1 = Math.floor((my + height / 2 / scale) * n);
      for (let x = x0; x <= x1; x++) for (let y = Math.max(0, y0); y <= Math.min(n - 1, y1); y++) {
        const [px, py] = place([x / n, y / n]);
        const url = page.map.tiles.replace('{z}', zoom).replace('{x}', ((x % n) + n) % n).replace('{y}', y);
        map.append(svg('image', { href: url, x: px, y: py, width: 256.5, height: 256.5, class: 'tileimage' }));
      }
    } else {
      const step = gridStep(scale, placed[0].position[0]);
      for (let x = (width / 2) % step.px; x < width; x += step.px) map.append(svg('line', { class: 'mesh', x1: x, x2: x, y1: 0, y2: height }));
      for (let y = (height / 2) % step.px; y < height; y += step.px) map.append(svg('line', { class: 'mesh', x1: 0, x2: width, y1: y, y2: y }));
      const x = width - step.px - 12;
      map.append(svg('path', { class: 'scale', d: `M${x} ${height - 14}v5h${step.px}v-5` }),
        svg('text', { x: x + step.px / 2, y: height - 14, 'text-anchor': 'middle', class: 'scaletext' }, step.name));
    }
    for (const line of page.map.lines) {
      const d = line.points.map((p) => place(project(p)).map((v) => v.toFixed(1)).join(' ')).join('L');
      if (line.kind === 'road') map.append(svg('path', { class: 'road casing', d: `M${d}` }));
    }
    for (const line of page.map.lines) {
      const d = line.points.map((p) => place(project(p)).map((v) => v.toFixed(1)).join(' ')).join('L');
      map.append(svg('path', { class: line.kind, d: `M${d}` }, line.name ? svg('title', {}, line.name) : null));
    }
    const most = Math.max(1, ...placed.map((one) => one.today)), taken = [];
    const marks = placed.map((one, i) => ({ one, at: place(points[i]) }));
    for (const { at: [x, y] } of marks) taken.push([x - 9, y - 9, x + 9, y + 9]);
    for (const { one, at: [x, y] } of marks.sort((a, b) => a.one.today - b.one.today)) {
      const [kind, sign] = stateOf(one.state);
      const group = svg('g', { class: `cam ${kind}${Date.now() - (pulses.get(one.id) ?? 0) < FRESH_MS ? ' pulse' : ''}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
        svg('title', {}, `${one.name} · ${t(`camera_state.${one.state}`)} · ${number(one.today)} ${t('wall_today')}${one.reason ? ` · ${said(one.reason)}` : ''}`),
        svg('circle', { class: 'halo', r: 9 + 15 * Math.sqrt(one.today / most) }), svg('circle', { class: 'ring', r: 9 }),
        svg('circle', { class: 'core', r: 7 }), svg('text', { class: 'sign', y: 4, 'text-anchor': 'middle' }, sign === '●' ? '' : sign));
      if (marks.length <= 40) {
        const wide = 7.2 * one.name.length + 10;
        const spots = [[13, 4, 'start'], [-13, 4, 'end'], [0, -16, 'middle'], [0, 25, 'middle']];
        const spot = spots.find(([dx, dy, anchor]) => {
          const x0 = x + dx - (anchor === 'end' ? wide : anchor === 'middle' ? wide / 2 : 0), box = [x0, y + dy - 12, x0 + wide, y + dy + 4];
          const free = box[0] > 2 && box[2] < width - 2 && box[1] > 2 && box[3] < height - 2
            && taken.every((b) => b[2] < box[0] || b[0] > box[2] || b[3] < box[1] || b[1] > box[3]);
          if (free) taken.push(box);
          return free;
        });
        if (spot) group.append(svg('text', { class: 'label', x: spot[0], y: spot[1], 'text-anchor': spot[2] }, one.name));
      }
      map.append(group);
    }
    const loose = data.cameras.filter((one) => !one.position);
    fill(at, map, page.map.attribution ? el('div', { class: 'attribution' }, page.map.attribution) : null,
      loose.length ? el('div', { class: 'loose' }, ...loose.slice(0, 12).map(chip)) : null);
  };
  const gridStep = (scale, lat) => {
    const metre = scale / (40075016.7 * Math.cos(lat * Math.PI / 180));
    const m = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000].find((one) => one * metre > 55) ?? 100000;
    return { px: m * metre, name: m < 1000 ? `${m} m` : `${m / 1000} km` };
  };
  const chip = (one) => el('span', { class: 'chip', title: said(one.reason) }, stateMark(one.state), one.name);
  const grid = (cameras) => el('div', { class: 'camgrid' }, ...cameras.slice(0, 200).map((one) =>
    el('div', { class: `camcell ${stateOf(one.state)[0]}`, title: said(one.reason) }, stateMark(one.state), el('span', {}, one.name),
      el('b', {}, number(one.today)))), cameras.length ? null : nothing());
  const drawHealth = (at) => {
    const ill = data.cameras.filter((one) => one.state !== 'up');
    fill(at, ...(ill.length ? ill.slice(0, 6).map((one) => el('span', { class: 'chip bad', title: said(one.reason) }, stateMark(one.state),
      one.name, el('small', {}, `${t(`camera_state.${one.state}`)} · ${ago(one.state === 'silent' ? one.seen_ms : one.since_ms, data.now_ms)}`)))
      : [el('span', { class: 'chip good' }, stateMark('up'), `${t('wall_all_up')} (${data.cameras.length})`)]),
    ill.length > 6 ? el('span', { class: 'sub' }, `+${ill.length - 6}`) : null);
  };

  const pulses = new Map();
  ready('.wall', (root) => {
    const choose = (per, by) => { trend = { per, by }; drawSwitch(); if (data) drawTrend(body(root, 'trend')); };
    const switches = el('span', { class: 'switch' });
    const drawSwitch = () => fill(switches, ...[['hours', 'wall_24h'], ['days', 'wall_30d']].map(([per, name]) => pick(name, trend.per === per, () => choose(per, trend.by))),
      el('i'), ...[['by_kind', 'wall_by_kind'], ['by_area', 'wall_by_area']].map(([by, name]) => pick(name, trend.by === by, () => choose(trend.per, by))));
    const pick = (name, on, act) => {
      const made = el('button', { type: 'button', class: on ? 'on' : '', 'aria-pressed': String(on) }, t(name));
      made.addEventListener('click', () => { touched = true; act(); });
      return made;
    };
    fill(root, el('div', { class: 'tiles', 'aria-live': 'off' }),
      page.sees ? panel('last', t('wall_last')) : null,
      panel('where', t('wall_map')), panel('kinds', t('wall_kinds')), panel('areas', t('wall_areas')),
      panel('trend', t('wall_trend'), switches), panel('flow', t('wall_roads')), panel('hot', t('wall_hot')));
    if (!page.sees) root.classList.add('nocases');
    root.querySelector('.where').append(el('div', { class: 'health' }));
    drawSwitch();
    const draw = () => {
      if (!data) return;
      drawTiles(root.querySelector('.tiles'));
      if (page.sees) drawLast(body(root, 'last'));
      drawHealth(root.querySelector('.health')); drawMap(body(root, 'where'));
      drawKinds(body(root, 'kinds')); drawAreas(body(root, 'areas')); drawTrend(body(root, 'trend'));
      drawRoads(body(root, 'flow')); drawHot(body(root, 'hot'));
    };
    const keep = (rows) => {
      last = rows.slice(0, LAST);
      const ids = new Set(last.map((one) => one.id));
      for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
    };
    const soon = poll('/api/v1/wall', EVERY_MS, (fresh) => {
      skewMs = fresh.now_ms - Date.now();
      if (fresh.last) {
        const known = new Set(last.map((one) => one.id));
        if (data) for (const one of fresh.last) if (!known.has(one.id)) { seen.set(one.id, Date.now()); pulses.set(one.camera, Date.now()); }
        keep(fresh.last);
      }
      for (const [id, ms] of pulses) if (Date.now() - ms > FRESH_MS) pulses.delete(id);
      data = fresh;
      root.classList.remove('lost');
      draw();
    }, () => root.classList.add('lost'));
    if (page.sees) {
      const news = new EventSource('/api/v1/live');
      news.addEventListener('new', (event) => {
        const one = JSON.parse(event.data);
        if (last.some((other) => other.id === one.id)) return;
        seen.set(one.id, Date.now()); pulses.set(one.camera, Date.now());
        keep([one, ...last].sort((a, b) => b.at_ms - a.at_ms));
        if (data) drawLast(body(root, 'last'));
        soon();
      });
      news.addEventListener('decided', soon);
    }
    setInterval(() => { const at = root.querySelector('.clock'); if (at) at.textContent = time(Date.now() + skewMs); }, 1000);
    setInterval(() => {
      if (touched) return;
      const turns = [['hours', 'by_kind'], ['days', 'by_kind'], ['hours', 'by_area'], ['days', 'by_area']];
      const now = turns.findIndex(([per, by]) => per === trend.per && by === trend.by);
      choose(...turns[(now + 1) % turns.length]);
    }, TURN_MS);
    addEventListener('resize', draw);
  });
})();
