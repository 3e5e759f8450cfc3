// The scene editor: what a camera's picture means, drawn on its still. The data is what the YAML file holds; all that
// judges it is the service's: check, calibration, back-test, saving.
(() => {
  const { page, t, el, svg, number, clock, time, ruleName, said, ready } = window.ngatuLive;
  const STILL_MS = 4000, CHECK_MS = 300, WIDE = 1600, MOST_UNDONE = 200;
  const PURPOSES = ['no_stopping', 'pavement', 'restricted_hours', 'motorway', 'restricted', 'loitering', 'crowd', 'abandoned_object'];
  const USERS = ['person', 'bicycle', 'motorbike', 'car', 'bus', 'truck'], DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], WAYS = ['left', 'straight', 'right'];
  // Where the geometry of each family lies in an item, and what form it has.
  const GEOMETRY = { stop_lines: [['line', 'line'], ['travel', 'arrow'], ['junction.area', 'area'], ['junction.clearance', 'line'],
    ...WAYS.map((way) => [`movements.${way}.exit`, 'area'])], lamps: [['box', 'box']], zones: [['polygon', 'area']],
    lanes: [['polygon', 'area'], ['direction', 'way']], solid_lines: [['line', 'line'], ['forbidden', 'arrow']],
    turns: [['entry', 'area'], ['exit', 'area']], ignore: [['', 'area']], windows: [['', 'box']] };
  const FAMILIES = [...Object.keys(GEOMETRY), 'calibration'];
  const LEAST = { area: 3, line: 2, way: 2, arrow: 2, box: 2, point: 1 }, MOST = { arrow: 2, box: 2, point: 1 };
  const round = (v) => Math.round(Math.min(1, Math.max(0, v)) * 1e4) / 1e4;
  const copy = (value) => JSON.parse(JSON.stringify(value));
  // The same however the keys of its items are ordered.
  const same = (a, b) => sorted(a) === sorted(b);
  const sorted = (value) => JSON.stringify(value, (_, v) => v && typeof v === 'object' && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort(([x], [y]) => x < y ? -1 : 1)) : v);
  const get = (data, path) => path.reduce((at, key) => at?.[key], data);
  const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const splitPath = (where) => where.replace(/\[(\d+)\]/g, '.$1').split('.').filter(Boolean).map((p) => /^\d+$/.test(p) ? +p : p);

  ready('.scene', async (root) => {
    const id = root.dataset.camera, base = `/api/v1/scenes/${encodeURIComponent(id)}`;
    let csrf = '', given = null, data = {}, undone = [], redone = [], chosen = '', tool = null, points = [], cursor = [0.5, 0.5];
    let checked = null, tried = null, view = { x: 0, y: 0, w: WIDE, h: 900 }, high = 900, live = true, shown = true, saved = '', checking = 0, opened = null;
    let grid = true, drag = null;
    // The version that was gone on from; 0: the file's own.
    let onFrom = 0;
    // What was left unsaved in this browser, and where it is kept.
    let left = null, slot = '';

    const call = async (method, path, body) => {
      const answer = await fetch(base + path, { method, headers: { 'content-type': 'application/json', 'x-csrf-token': csrf, accept: 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body) });
      if (answer.status === 401) { location.href = '/login'; throw new Error('login'); }
      const found = await answer.json().catch(() => ({ detail: String(answer.status) }));
      if (!answer.ok) throw Object.assign(new Error(typeof found.detail === 'string' ? found.detail : JSON.stringify(found.detail)), { status: answer.status });
      return found;
    };

    // --- the parts of the page
    const canvas = svg('svg', { class: 'canvas', tabindex: '0', role: 'application', 'aria-label': t('scene_canvas'), preserveAspectRatio: 'xMidYMid meet' });
    const picture = svg('image', { x: 0, y: 0, width: WIDE, height: high, preserveAspectRatio: 'none' }), drawing = svg('g');
    const seen = svg('rect', { x: 0, y: 0, width: WIDE, height: high });
    canvas.append(svg('defs', {}, svg('clipPath', { id: 'seen' }, seen), ...['travel', 'lane', 'ban'].map((kind) => svg('marker', { id: `tip-${kind}`, viewBox: '0 0 10 10', refX: 8, refY: 5,
      markerWidth: 7, markerHeight: 7, orient: 'auto-start-reverse' }, svg('path', { d: 'M0 0L10 5L0 10z', class: `tip ${kind}` })))), picture, drawing);
    const tools = el('div', { class: 'tools', role: 'toolbar', 'aria-label': t('scene_tools') }), hint = el('div', { class: 'hint', role: 'status' });
    const side = el('aside', { class: 'props' }), what = el('div', { class: 'strip' }), stage = el('div', { class: 'stage' }, canvas, hint);
    const heads = { items: el('section'), item: el('section'), rules: el('section'), check: el('section', { 'aria-live': 'polite' }), trial: el('section', { 'aria-live': 'polite' }),
      save: el('section'), versions: el('section') };
    side.append(heads.check, heads.item, heads.items, heads.trial, heads.save, heads.rules, heads.versions);
    root.replaceChildren(what, tools, stage, side);
    const button = (text, act, kind = '', more = {}) => { const made = el('button', { type: 'button', class: `act ${kind}`, ...more }, text); made.addEventListener('click', act); return made; };

    // --- changes, each of which can be taken back
    // What is not saved outlives a page that closes, loads itself anew or is sent to the login, in this browser.
    const keep = () => { try { if (changed()) localStorage.setItem(slot, JSON.stringify({ data, from: onFrom || given.version, at_ms: Date.now() })); else localStorage.removeItem(slot); } catch { /* no room, or not allowed: then not */ } };
    const kept = () => { try { const found = JSON.parse(localStorage.getItem(slot)); return found?.data && !same(found.data, data) ? found : null; } catch { return null; } };
    const touched = () => { if (undone.length || redone.length) { left = null; keep(); } checked = null; tried = null; clearTimeout(checking); checking = setTimeout(check, CHECK_MS); };
    const now = () => JSON.stringify([data, onFrom]);
    const remember = (before) => { undone.push(before); if (undone.length > MOST_UNDONE) undone.shift(); redone = []; };
    const change = (act) => { remember(now()); act(data); touched(); draw(); };
    const back = (from, to) => { if (!from.length || drag) return; to.push(now()); [data, onFrom] = JSON.parse(from.pop()); if (!itemOf(chosen)) chosen = ''; touched(); draw(); };
    const undo = () => back(undone, redone), redo = () => back(redone, undone);

    // --- items and their shapes
    const itemOf = (key) => { const [family, place] = key.split('/'); return key ? (family === 'calibration' ? data.calibration : data[family]?.[+place]) : undefined; };
    const nameOf = (family, place) => { const item = data[family]?.[place]; return item?.id ?? `${t(`scene_one.${family}`)} ${place + 1}`; };
    const shapes = () => {
      const found = [];
      for (const [family, parts] of Object.entries(GEOMETRY)) (data[family] ?? []).forEach((item, place) => {
        for (const [part, form] of parts) {
          const path = [family, place, ...part.split('.').filter(Boolean)], value = get(data, path);
          if (!Array.isArray(value)) continue;
          found.push({ key: `${family}/${place}`, family, part, form, path, points: form === 'box' ? [[value[0], value[1]], [value[2], value[3]]] : value });
        }
      });
      (data.calibration?.points ?? []).forEach((point, place) => found.push({ key: 'calibration/0', family: 'calibration', part: `${place + 1}`, form: 'point', place,
        path: ['calibration', 'points', place, 'picture'], points: [point.picture] }));
      if (data.calibration?.rectangle) found.push({ key: 'calibration/0', family: 'calibration', part: '', form: 'area',
        path: ['calibration', 'rectangle', 'corners'], points: data.calibration.rectangle.corners ?? [] });
      return found.filter((shape) => shape.points.every((p) => Array.isArray(p) && p.length === 2 && p.every(Number.isFinite)));
    };
    const put = (shape, moved) => {
      const value = shape.form === 'box' ? [Math.min(moved[0][0], moved[1][0]), Math.min(moved[0][1], moved[1][1]), Math.max(moved[0][0], moved[1][0]), Math.max(moved[0][1], moved[1][1])]
        : shape.form === 'point' ? moved[0] : moved;
      const above = get(data, shape.path.slice(0, -1));
      above[shape.path[shape.path.length - 1]] = value;
    };
    const fresh = (prefix, family) => { const ids = new Set((data[family] ?? []).map((one) => one.id)); let n = 1; while (ids.has(`${prefix}${n}`)) n++; return `${prefix}${n}`; };
    const add = (family, item) => { change(() => { (data[family] ??= []).push(item); chosen = `${family}/${data[family].length - 1}`; }); };
    // An arrow across a line, up the picture: that is where traffic that one sees from behind goes.
    const across = (line) => {
      const [a, b] = [line[0], line[line.length - 1]], m = middle(a, b), w = (b[0] - a[0]) * WIDE, h = (b[1] - a[1]) * high, l = Math.hypot(w, h) || 1;
      const reach = Math.max(0.05 * high, 0.2 * l), up = w >= 0 ? -1 : 1, dx = -h / l * reach * up / WIDE, dy = w / l * reach * up / high;
      return [[round(m[0] - dx), round(m[1] - dy)], [round(m[0] + dx), round(m[1] + dy)]];
    };
    // From the middle of an area's lowest side to the middle of its highest.
    const along = (area) => {
      const sides = area.map((p, i) => middle(p, area[(i + 1) % area.length])).sort((a, b) => b[1] - a[1]), m = area.reduce((s, p) => [s[0] + p[0] / area.length, s[1] + p[1] / area.length], [0, 0]);
      const inward = (p) => [round(p[0] + (m[0] - p[0]) * 0.06), round(p[1] + (m[1] - p[1]) * 0.06)];
      return [inward(sides[0]), inward(sides[sides.length - 1])];
    };
    const box = (two) => [Math.min(two[0][0], two[1][0]), Math.min(two[0][1], two[1][1]), Math.max(two[0][0], two[1][0]), Math.max(two[0][1], two[1][1])];
    const TOOLS = [
      ['zone', 'z', 'area', (p) => add('zones', { id: fresh('zone', 'zones'), polygon: p, purpose: 'no_stopping' })],
      ['stop_line', 's', 'line', (p) => add('stop_lines', { id: fresh('line', 'stop_lines'), line: p, travel: across(p),
        movements: { straight: data.lamps?.length ? { lamp: data.lamps[0].id } : { free: true } } })],
      ['lamp', 'd', 'box', (p) => add('lamps', { id: fresh('lamp', 'lamps'), box: box(p), layout: 'vertical', shows: 'ball' })],
      ['lane', 'l', 'area', (p) => add('lanes', { id: fresh('lane', 'lanes'), polygon: p, direction: along(p) })],
      ['solid', 'v', 'line', (p) => add('solid_lines', { id: fresh('solid', 'solid_lines'), line: p })],
      ['turn', 't', 'area', (entry) => start({ name: 'turn', form: 'area', hint: 'scene_draw_exit', done: (exit) => add('turns', { id: fresh('turn', 'turns'), act: 'u_turn', entry, exit }) })],
      ['point', 'c', 'point', (p) => { const n = data.calibration?.points?.length ?? 0;
        change(() => { data.calibration ??= {}; delete data.calibration.rectangle; (data.calibration.points ??= []).push({ picture: p[0], ground_m: [null, null] }); chosen = 'calibration/0'; });
        ask(`[data-metre="${n}-0"]`); }],
      // Nor are the sides of a rectangle guessed.
      ['rectangle', 'r', 'area', (p) => { change(() => { data.calibration ??= {}; delete data.calibration.points; data.calibration.rectangle = { corners: p, width_m: null, length_m: null }; chosen = 'calibration/0'; });
        ask('[data-field=width_m]'); }, 4],
      ['ignore', 'i', 'area', (p) => add('ignore', p)], ['window', 'w', 'box', (p) => add('windows', box(p))],
    ];
    const start = (chosenTool) => { tool = chosenTool; points = []; draw(); canvas.focus({ preventScroll: true }); };
    const pick = (name) => { const [, , form, done, corners] = TOOLS.find((one) => one[0] === name); start({ name, form, done, corners }); };
    const finish = () => {
      if (!tool || points.length < (tool.corners ?? LEAST[tool.form])) return;
      const [done, drawn, again] = [tool.done, points, tool.form === 'point' ? tool : null];
      tool = again; points = [];
      done(drawn);
      if (!tool || tool === again) draw();
    };
    const place = (at, near = 1e-6) => {
      const p = [round(at[0]), round(at[1])], last = points[points.length - 1];
      // The second press of a double click is no corner of its own, nor is a hand that trembles.
      if (last && Math.hypot(X(p) - X(last), Y(p) - Y(last)) < near) return;
      points.push(p);
      if (points.length >= (tool.corners ?? MOST[tool.form] ?? 64)) finish(); else draw();
    };
    const drop = () => { tool = null; points = []; draw(); };
    const removeChosen = () => {
      const [family, at] = chosen.split('/');
      if (!itemOf(chosen) || drag) return;
      change(() => { if (family === 'calibration') delete data.calibration; else { data[family].splice(+at, 1); if (!data[family].length) delete data[family]; } chosen = ''; });
    };

    // --- the picture
    const X = (p) => p[0] * WIDE, Y = (p) => p[1] * high, line = (ps) => ps.map((p) => `${X(p).toFixed(1)},${Y(p).toFixed(1)}`).join(' ');
    const scale = () => view.w / WIDE * Math.min(2.2, Math.max(WIDE / Math.max(300, canvas.clientWidth || WIDE), high / Math.max(170, canvas.clientHeight || high)));
    const body = (shape, on) => {
      const kind = { class: `shape ${shape.family} ${shape.form} ${shape.part.replace(/\W+/g, '-')} ${on ? 'on' : ''}`, 'data-key': shape.key, 'data-part': shape.part };
      if (shape.form === 'area') return svg('polygon', { ...kind, points: line(shape.points) });
      if (shape.form === 'box') return svg('polygon', { ...kind, points: line([shape.points[0], [shape.points[1][0], shape.points[0][1]], shape.points[1], [shape.points[0][0], shape.points[1][1]]]) });
      if (shape.form === 'point') { const [x, y, r] = [X(shape.points[0]), Y(shape.points[0]), 9 * scale()]; return svg('path', { ...kind, d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}` }); }
      const tip = { arrow: shape.part === 'forbidden' ? 'ban' : 'travel', way: 'lane' }[shape.form];
      return svg('polyline', { ...kind, points: line(shape.points), 'marker-end': tip ? `url(#tip-${tip})` : '' });
    };
    const handles = (shape) => {
      const made = [], r = 6.5 * scale();
      shape.points.forEach((p, i) => made.push(svg('circle', { class: 'handle', cx: X(p), cy: Y(p), r, tabindex: '0', role: 'button', 'data-path': shape.path.join('.'), 'data-corner': i,
        'aria-label': `${t('scene_corner')} ${i + 1}: ${p[0]}, ${p[1]}` })));
      if (shape.family !== 'calibration' && (shape.form === 'area' || shape.form === 'line' || shape.form === 'way')) shape.points.forEach((p, i) => {
        if (shape.form !== 'area' && i === shape.points.length - 1) return;
        const m = middle(p, shape.points[(i + 1) % shape.points.length]);
        made.push(svg('circle', { class: 'between', cx: X(m), cy: Y(m), r: r * 0.65, 'data-path': shape.path.join('.'), 'data-after': i }));
      });
      return made;
    };
    const label = (p, text, kind) => svg('text', { class: `name ${kind}`, x: X(p) + 8 * scale(), y: Y(p) - 8 * scale(), 'font-size': 14.5 * scale() }, text);
    const paint = () => {
      canvas.setAttribute('viewBox', `${view.x} ${view.y} ${view.w} ${view.h}`);
      canvas.classList.toggle('drawing', !!tool);
      const focus = document.activeElement?.dataset?.corner !== undefined ? [document.activeElement.dataset.path, document.activeElement.dataset.corner] : null;
      const all = shown ? shapes() : [], parts = [];
      if (checked?.calibration && shown && grid) for (const one of checked.calibration.grid) parts.push(svg('polyline', { class: `grid ${one.heavy ? 'heavy' : ''}`, 'clip-path': 'url(#seen)', points: line(one.points) }));
      const wrong = new Set((checked?.problems ?? []).map((one) => { const [family, at] = splitPath(one.where); return family === 'calibration' ? 'calibration/0' : `${family}/${at}`; }));
      // Areas below lines, lines below lamps; what is chosen above all.
      const rank = (one) => one.key === chosen ? 9 : { area: 0, way: 1, line: 2, arrow: 3, box: one.family === 'windows' ? 0 : 4, point: 5 }[one.form];
      for (const shape of [...all].sort((a, b) => rank(a) - rank(b))) {
        const made = body(shape, shape.key === chosen);
        if (wrong.has(shape.key)) made.classList.add('wrong');
        parts.push(made);
        if (shape.form === 'point') parts.push(label(shape.points[0], shape.part, 'calibration'));
        else if (GEOMETRY[shape.family]?.[0][0] === shape.part) parts.push(label(shape.form === 'area' ? shape.points.reduce((m, p) => [m[0] + p[0] / shape.points.length, m[1] + p[1] / shape.points.length], [0, 0]) : shape.points[0], nameOf(...shape.key.split('/').map((v, i) => i ? +v : v)), shape.family));
      }
      if (checked?.calibration && shown && chosen === 'calibration/0') for (const one of checked.calibration.points) parts.push(svg('circle', { class: 'fitted', cx: X(one.fitted), cy: Y(one.fitted), r: 9 * scale() }));
      for (const one of tried?.changes ?? []) {
        if (one.way.length > 1) parts.push(svg('polyline', { class: `went ${one.outcome}`, points: line(one.way) }));
        parts.push(svg('circle', { class: `went ${one.outcome}`, cx: X(one.at), cy: Y(one.at), r: 6 * scale() }));
      }
      if (!tool) for (const shape of all.filter((one) => one.key === chosen)) parts.push(...handles(shape));
      if (tool) {
        const ps = [...points, cursor], form = tool.form;
        if (form === 'box' && points.length) parts.push(body({ form: 'box', family: 'new', part: '', key: '', points: [points[0], cursor] }, true));
        else if (form !== 'point') parts.push(svg(form === 'area' && ps.length > 2 ? 'polygon' : 'polyline', { class: 'shape new', points: line(ps) }));
        points.forEach((p) => parts.push(svg('circle', { class: 'put', cx: X(p), cy: Y(p), r: 5 * scale() })));
        const [x, y, r] = [X(cursor), Y(cursor), 16 * scale()];
        parts.push(svg('path', { class: 'cross', d: `M${x - r} ${y}H${x + r}M${x} ${y - r}V${y + r}` }));
      }
      drawing.replaceChildren(...parts);
      if (focus) [...drawing.querySelectorAll('.handle')].find((one) => one.dataset.path === focus[0] && one.dataset.corner === focus[1])?.focus({ preventScroll: true });
      hint.textContent = tool ? `${t(tool.hint ?? `scene_tool.${tool.name}`)}: ${t(`scene_how.${tool.corners ? 'four' : tool.form}`)}` : chosen ? t('scene_how_edit') : t('scene_how_pick');
    };
    const at = (event) => { const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(canvas.getScreenCTM().inverse()); return [p.x / WIDE, p.y / high]; };
    const zoom = (factor, about = [(view.x + view.w / 2) / WIDE, (view.y + view.h / 2) / high]) => {
      const w = Math.min(WIDE, Math.max(WIDE / 20, view.w * factor)), h = w * high / WIDE, f = w / view.w;
      const x = about[0] * WIDE - (about[0] * WIDE - view.x) * f, y = about[1] * high - (about[1] * high - view.y) * f;
      view = { w, h, x: Math.min(WIDE - w, Math.max(0, x)), y: Math.min(high - h, Math.max(0, y)) };
      paint();
    };
    canvas.addEventListener('wheel', (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 0.8 : 1.25, at(event)); }, { passive: false });
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      const p = at(event), on = event.target;
      canvas.setPointerCapture(event.pointerId);
      if (tool) {
        cursor = [round(p[0]), round(p[1])];
        if (tool.form === 'area' && points.length >= 3 && Math.hypot(X(points[0]) - X(p), Y(points[0]) - Y(p)) < 12 * scale()) { finish(); return; }
        if (tool.form === 'box' && !points.length) { place(p); drag = { box: [event.clientX, event.clientY] }; return; }
        place(p, 4 * scale());
        return;
      }
      const shape = on.dataset.path && shapes().find((one) => one.path.join('.') === on.dataset.path);
      if (shape) {
        const before = now(), moved = copy(shape.points);
        let corner = +on.dataset.corner;
        if (on.dataset.after !== undefined) { corner = +on.dataset.after + 1; moved.splice(corner, 0, [round(p[0]), round(p[1])]); }
        drag = { shape, moved, corner, before };
        return;
      }
      const key = on.dataset.key;
      if (key && key === chosen) { drag = { whole: shapes().filter((one) => one.key === key && (on.dataset.part === '' || one.part === on.dataset.part || GEOMETRY[one.family]?.[0][0] === on.dataset.part)), from: p, before: now(), far: false }; return; }
      if (key) { chosen = key; draw(); return; }
      drag = { pan: [event.clientX, event.clientY], was: { ...view } };
    });
    canvas.addEventListener('pointermove', (event) => {
      const p = at(event);
      if (tool) { cursor = [round(p[0]), round(p[1])]; paint(); return; }
      if (!drag) return;
      if (drag.moved) { drag.moved[drag.corner] = [round(p[0]), round(p[1])]; put(drag.shape, copy(drag.moved)); paint(); } else if (drag.whole) {
        // As far as the picture goes: at its edge the shape stops, and keeps its form.
        const d = [0, 1].map((axis) => { const all = drag.whole.flatMap((shape) => shape.points.map((q) => q[axis])); return Math.min(1 - Math.max(...all), Math.max(-Math.min(...all), p[axis] - drag.from[axis])); });
        drag.far ||= Math.hypot(d[0] * WIDE, d[1] * high) > 4 * scale();
        if (!drag.far) return;
        for (const shape of drag.whole) put(shape, shape.points.map((q) => [round(q[0] + d[0]), round(q[1] + d[1])]));
        paint();
      } else if (drag.pan) {
        const f = 1 / canvas.getScreenCTM().a;
        view.x = Math.min(WIDE - view.w, Math.max(0, drag.was.x - (event.clientX - drag.pan[0]) * f));
        view.y = Math.min(high - view.h, Math.max(0, drag.was.y - (event.clientY - drag.pan[1]) * f));
        paint();
      }
    });
    // A pointer that is taken away (a second finger, the system's own window) has let go as well.
    for (const ended of ['pointerup', 'pointercancel']) canvas.addEventListener(ended, (event) => {
      const done = drag; drag = null;
      if (done?.box && tool && Math.hypot(event.clientX - done.box[0], event.clientY - done.box[1]) > 5) place(at(event));
      if (done?.before && done.before !== now()) { remember(done.before); touched(); draw(); }
      if (done?.pan && Math.hypot(event.clientX - done.pan[0], event.clientY - done.pan[1]) < 3 && chosen) { chosen = ''; draw(); }
    });
    canvas.addEventListener('dblclick', (event) => { if (tool) { event.preventDefault(); finish(); } });
    const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener('keydown', (event) => {
      const step = STEPS[event.key], on = document.activeElement?.dataset ?? {};
      if (step) {
        event.preventDefault();
        const far = (event.shiftKey ? 0.02 : 0.002) * (view.w / WIDE), go = ([x, y]) => [round(x + step[0] * far), round(y + step[1] * far * WIDE / high)];
        const shape = on.corner !== undefined && shapes().find((one) => one.path.join('.') === on.path);
        if (shape) change(() => { const moved = copy(shape.points); moved[+on.corner] = go(moved[+on.corner]); put(shape, moved); });
        else if (tool) { cursor = go(cursor); paint(); }
      } else if (event.key === ' ' && tool) { event.preventDefault(); place(cursor); } else if (event.key === 'Enter' && tool) { event.preventDefault(); finish(); } else if (event.key === 'Backspace' && tool) { event.preventDefault(); points.pop(); paint(); } else if ((event.key === 'Delete' || event.key === 'Backspace') && on.corner !== undefined) {
        event.preventDefault();
        const shape = shapes().find((one) => one.path.join('.') === on.path);
        if (shape.form === 'point') change(() => { data.calibration.points.splice(shape.place, 1); if (!data.calibration.points.length) { delete data.calibration; chosen = ''; } });
        else if (shape.points.length > LEAST[shape.form] && !MOST[shape.form]) change(() => put(shape, shape.points.filter((_, i) => i !== +on.corner)));
      }
    });
    document.addEventListener('keydown', (event) => {
      const typing = event.target.closest?.('input, select, textarea');
      if ((event.ctrlKey || event.metaKey) && !typing && event.key.toLowerCase() === 'z') { event.preventDefault(); (event.shiftKey ? redo : undo)(); return; }
      if ((event.ctrlKey || event.metaKey) && !typing && event.key.toLowerCase() === 'y') { event.preventDefault(); redo(); return; }
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Escape') { if (tool) drop(); else if (chosen) { chosen = ''; draw(); } } else if (event.key === 'Delete' && document.activeElement?.dataset?.corner === undefined) removeChosen();
      else if (event.key === '+') zoom(0.7); else if (event.key === '-') zoom(1.4); else if (event.key === '0') zoom(99);
      else { const one = TOOLS.find(([, key]) => key === event.key.toLowerCase()); if (one && !tool) { event.preventDefault(); pick(one[0]); } }
    });

    // --- the side
    const field = (name, input) => el('label', { class: 'field' }, el('span', {}, t(name)), input);
    const input = (value, take, more = {}) => { const made = el('input', { value: value ?? '', ...more }); made.addEventListener('change', () => { made.defaultValue = made.value; take(made.value); }); return made; };
    // What somebody is typing is never drawn away: an answer of the check may come in between.
    const typing = (part) => { const at = document.activeElement; return part.contains(at) && (at.dataset.open || (at.matches('input:not([type=checkbox])') && at.value !== at.defaultValue)); };
    const ask = (selector) => setTimeout(() => { const at = heads.item.querySelector(selector); at?.focus(); at?.select(); });
    const select = (value, options, take, more = {}) => {
      const made = el('select', more, ...options.map(([v, text]) => el('option', { value: v, ...(v === value ? { selected: 'selected' } : {}) }, text)));
      // While its choices hang open it is not drawn anew: that would close them.
      made.addEventListener('pointerdown', () => { made.dataset.open = 'yes'; });
      made.addEventListener('blur', () => { if (made.dataset.open) { delete made.dataset.open; draw(); } });
      made.addEventListener('change', () => { delete made.dataset.open; take(made.value); });
      return made;
    };
    const tick = (text, on, take, more = {}) => { const made = el('input', { type: 'checkbox', ...(on ? { checked: 'checked' } : {}), ...more }); made.addEventListener('change', () => take(made.checked)); return el('label', { class: 'tick' }, made, el('span', {}, text)); };
    // 3,5 is 3.5 here. What is no number stays as it was typed, and the check refuses it: nothing is guessed.
    const figure = (text) => { const read = text.trim().replace(',', '.'); return read === '' ? null : Number.isFinite(+read) ? +read : text; };
    const numeric = (value, take, more = {}) => input(value, (v) => take(figure(v)), { inputmode: 'decimal', ...more });
    const setOr = (item, key, value, none) => { if (value === none || value === null) delete item[key]; else item[key] = value; };
    const who = (item) => el('div', { class: 'field' }, el('span', {}, t('scene_classes')), el('div', { class: 'ticks' }, ...USERS.map((user) => tick(page.texts[`road_user.${user}`] ?? user, item.classes?.includes(user), (on) => change(() => {
      const left = USERS.filter((one) => one === user ? on : item.classes?.includes(one)); if (left.length) item.classes = left; else delete item.classes; })))));
    const limit = (item) => field('scene_limit', numeric(item.limit_kmh, (v) => change(() => setOr(item, 'limit_kmh', v)), { 'data-field': 'limit' }));
    // Times of day are "06:00" in the file; without quotes YAML reads 22:00 as minutes.
    const oclock = (v, none) => typeof v === 'number' ? `${String(Math.floor(v / 60)).padStart(2, '0')}:${String(v % 60).padStart(2, '0')}` : v ?? none;
    const hoursOf = (item) => {
      const spans = item.hours ?? [];
      const time = (span, i, key, none) => input(oclock(span[key], none), (v) => change(() => { span[key] = v.trim(); }), { maxlength: 5, placeholder: 'HH:MM', inputmode: 'numeric', 'data-field': `${key}-${i}`, 'aria-label': `${t(`scene_${key}`)} ${i + 1}` });
      return el('div', { class: 'hours' }, el('span', { class: 'sub' }, `${t('scene_when')}: ${spans.length ? '' : t('scene_always')}`), ...spans.map((span, i) => el('div', { class: 'span' },
        el('div', { class: 'days' }, ...DAYS.map((day) => tick(t(`scene_day.${day}`), (span.days ?? DAYS).includes(day), (on) => change(() => {
          const left = DAYS.filter((one) => one === day ? on : (span.days ?? DAYS).includes(one)); if (left.length === DAYS.length) delete span.days; else span.days = left; }), { 'data-field': `${day}-${i}` }))),
        el('div', { class: 'times' }, time(span, i, 'start', '00:00'), el('span', {}, '–'), time(span, i, 'end', '24:00'),
          button('✕', () => change(() => { spans.splice(i, 1); if (!spans.length) delete item.hours; }), 'small-act bare', { 'aria-label': `${t('scene_delete')} ${i + 1}` })))),
        button(t('scene_add_hours'), () => change(() => { (item.hours ??= []).push({ start: '06:00', end: '08:00' }); }), 'small-act', { 'data-do': 'hours' }));
    };
    const rename = (family, item) => field('scene_id', input(item.id, (v) => change(() => {
      // What the lamp governs goes along, unless another has either name: whose it were could not be told any more.
      const others = (data.lamps ?? []).filter((one) => one !== item).map((one) => one.id);
      if (family === 'lamps' && !others.includes(item.id) && !others.includes(v)) for (const one of data.stop_lines ?? []) for (const way of WAYS) if (one.movements?.[way]?.lamp === item.id) one.movements[way].lamp = v;
      item.id = v; }), { maxlength: 63, 'data-field': 'id' }));
    const movement = (item, way) => {
      const now = item.movements?.[way], value = !now ? '' : now.free ? '/free' : now.lamp ?? '';
      const lamps = [...new Set([...(data.lamps ?? []).map((one) => one.id), now?.lamp].filter(Boolean))].map((name) => [name, name]), key = chosen;
      const row = el('div', { class: 'way' }, select(value, [['', t('scene_way_none')], ['/free', t('scene_way_free')], ...lamps], (v) => change(() => {
        item.movements ??= {};
        const exit = item.movements[way]?.exit ? { exit: item.movements[way].exit } : {};
        if (!v) delete item.movements[way]; else item.movements[way] = v === '/free' ? { free: true, ...exit } : { lamp: v, ...exit };
      }), { 'data-way': way, 'aria-label': t(`scene_way.${way}`) }));
      if (now) row.append(button(now.exit ? t('scene_exit_off') : t('scene_exit_draw'), () => now.exit ? change(() => { delete item.movements[way].exit; })
        : start({ name: 'stop_line', hint: 'scene_draw_exit', form: 'area', done: (p) => { if (itemOf(key)?.movements?.[way]) change(() => { itemOf(key).movements[way].exit = p; }); } }), 'small-act'));
      return el('div', { class: 'field' }, el('span', {}, t(`scene_way.${way}`)), row);
    };
    const junction = (item) => {
      const key = chosen, now = item.junction?.area ? 'area' : item.junction?.clearance ? 'clearance' : 'heights';
      return field('scene_junction', select(now, ['heights', 'clearance', 'area'].map((v) => [v, t(`scene_junction.${v}`)]), (v) => {
        if (v === 'heights') change(() => { delete item.junction; });
        else start({ name: 'stop_line', hint: `scene_junction.${v}`, form: v === 'area' ? 'area' : 'line', done: (p) => { if (itemOf(key)) change(() => { itemOf(key).junction = { [v]: p }; }); } });
      }));
    };
    const metres = () => {
      const rows = (data.calibration?.points ?? []).map((point, i) => {
        const fit = checked?.calibration?.points[i];
        const metre = (axis) => numeric(point.ground_m?.[axis], (v) => change(() => { (point.ground_m ??= [null, null])[axis] = v; }), { 'data-metre': `${i}-${axis}`, 'aria-label': `${i + 1} ${axis ? 'y' : 'x'} m` });
        return el('tr', {}, el('th', {}, String(i + 1)), el('td', {}, metre(0)), el('td', {}, metre(1)), el('td', { class: `num ${fit && fit.error_m > 0.15 ? 'bad' : ''}` }, fit ? number(fit.error_m, 2) : '–'),
          el('td', { class: 'num' }, fit && fit.left_out_m !== null ? number(fit.left_out_m, 2) : '–'),
          el('td', {}, button('✕', () => change(() => { data.calibration.points.splice(i, 1); if (!data.calibration.points.length) { delete data.calibration; chosen = ''; } }), 'small-act bare', { 'aria-label': t('scene_delete') })));
      });
      const rectangle = data.calibration?.rectangle;
      const parts = [el('div', { class: 'sub wrap' }, t(rectangle ? 'scene_rectangle_how' : 'scene_metres_how'))];
      if (rectangle) parts.push(...['width_m', 'length_m'].map((name) => field(`scene_${name}`, numeric(rectangle[name], (v) => change(() => { rectangle[name] = v; }), { 'data-field': name }))));
      else parts.push(el('table', { class: 'metres' }, el('thead', {}, el('tr', {}, el('th', {}, ''), ...['x m', 'y m', t('scene_error'), t('scene_left_out'), ''].map((text) => el('th', {}, text)))), el('tbody', {}, ...rows)));
      if (checked?.calibration) parts.push(el('div', { class: 'fit', 'data-rms': checked.calibration.rms_m }, el('b', {}, `${number(checked.calibration.rms_m, 3)} m`), ` ${t('scene_rms')} · ${t('scene_grid_every')} ${checked.calibration.spacing_m} m`));
      return parts;
    };
    const drawItem = () => {
      const item = itemOf(chosen);
      heads.item.hidden = !item;
      if (!item) { heads.item.replaceChildren(); return; }
      const [family] = chosen.split('/'), fields = [];
      if (family === 'calibration') fields.push(...metres());
      else if (!Array.isArray(item)) {
        fields.push(rename(family, item));
        if (family === 'zones') fields.push(field('scene_purpose', select(item.purpose, [...new Set([...PURPOSES, item.purpose])].map((v) => [v, page.texts[`scene_purpose.${v}`] ?? v]), (v) => change(() => { item.purpose = v; }), { 'data-field': 'purpose' })), who(item), limit(item), hoursOf(item));
        if (family === 'lanes') fields.push(who(item), limit(item), button(t('scene_turn_round'), () => change(() => { item.direction.reverse(); }), 'small-act'));
        if (family === 'lamps') fields.push(field('scene_layout', select(item.layout ?? 'vertical', ['vertical', 'horizontal', 'single'].map((v) => [v, t(`scene_layout.${v}`)]), (v) => change(() => { item.layout = v; }))),
          field('scene_shows', select(item.shows ?? 'ball', ['ball', 'arrow'].map((v) => [v, t(`scene_shows.${v}`)]), (v) => change(() => { item.shows = v; }))));
        if (family === 'stop_lines') fields.push(...WAYS.map((way) => movement(item, way)), junction(item), button(t('scene_turn_round'), () => change(() => { item.travel.reverse(); }), 'small-act'));
        if (family === 'solid_lines') fields.push(who(item), tick(t('scene_one_way'), !!item.forbidden, (on) => change(() => { if (on) item.forbidden = across(item.line); else delete item.forbidden; })),
          item.forbidden ? button(t('scene_turn_round'), () => change(() => { item.forbidden.reverse(); }), 'small-act') : null);
        if (family === 'turns') fields.push(field('scene_act', select(item.act, ['u_turn', 'banned_turn'].map((v) => [v, ruleName(v)]), (v) => change(() => { item.act = v; }))), who(item));
      }
      heads.item.replaceChildren(el('h3', {}, t(`scene_one.${family}`)), ...fields.filter(Boolean), button(t('scene_delete'), removeChosen, 'small-act bad', { 'data-do': 'delete' }));
    };
    const drawItems = () => {
      const rows = [];
      for (const family of FAMILIES) {
        const items = family === 'calibration' ? (data.calibration ? [data.calibration] : []) : data[family] ?? [];
        items.forEach((item, at_) => {
          const key = `${family}/${at_}`, more = family === 'zones' ? page.texts[`scene_purpose.${item.purpose}`] ?? item.purpose : family === 'calibration' ? `${item.points?.length ?? 4} ${t('scene_points')}` : '';
          rows.push(button('', () => { chosen = key; drop(); }, `entry ${key === chosen ? 'on' : ''}`, { 'data-item': key, 'aria-pressed': String(key === chosen) }));
          rows[rows.length - 1].append(el('i', { class: `swatch ${family}` }), el('span', { class: 'n' }, family === 'calibration' ? t('scene_one.calibration') : nameOf(family, at_)), el('span', { class: 'sub' }, family === 'calibration' ? more : `${t(`scene_one.${family}`)}${more ? ` · ${more}` : ''}`));
        });
      }
      heads.items.replaceChildren(el('h3', {}, `${t('scene_items')} (${rows.length})`), el('div', { class: 'items' }, ...(rows.length ? rows : [el('div', { class: 'sub wrap' }, t('scene_empty'))])));
    };
    const drawRules = () => {
      const on = data.rules ?? {};
      const openOnes = new Set([...heads.rules.querySelectorAll('details[open]')].map((one) => one.dataset.rule));
      heads.rules.replaceChildren(el('h3', {}, t('scene_rules')), ...Object.entries(given?.rules ?? {}).map(([name, schema]) => {
        const ticked = tick(ruleName(name), name in on, (v) => change(() => { data.rules ??= {}; if (v) data.rules[name] = {}; else delete data.rules[name]; }), { 'data-rule': name });
        if (!(name in on)) return ticked;
        const values = on[name] ?? {}, take = (key, v) => change(() => { data.rules[name] ??= {}; setOr(data.rules[name], key, v); });
        return el('details', { 'data-rule': name, ...(openOnes.has(name) ? { open: 'open' } : {}) }, el('summary', {}, ticked), ...Object.entries(schema.properties ?? {}).map(([key, about]) => {
          const title = about.description ?? '';
          if (about.type === 'boolean') return tick(key, values[key] ?? about.default, (v) => take(key, v), { title });
          if (about.type !== 'number' && about.type !== 'integer') return null;
          return el('label', { class: 'field', title }, el('span', { class: 'key' }, key), numeric(values[key], (v) => take(key, v), { placeholder: about.default ?? '', 'data-field': `${name}.${key}` }));
        }).filter(Boolean));
      }));
    };
    const drawCheck = () => {
      const parts = [el('h3', {}, t('scene_check'))];
      if (left) parts.push(el('div', { class: 'verdict warn', 'data-left': 'yes' }, `▲ ${t('scene_left')} ${clock(left.at_ms, { day: '2-digit', month: '2-digit' })} ${time(left.at_ms)}`), el('div', { class: 'acts' },
        button(t('scene_left_take'), () => { const found = left; change(() => { data = found.data; onFrom = found.from === given.version ? 0 : found.from; chosen = ''; }); }, 'small-act', { 'data-do': 'left' }),
        button(t('scene_left_drop'), () => { left = null; localStorage.removeItem(slot); drawCheck(); }, 'small-act bare')));
      if (given?.unreadable) parts.push(el('div', { class: 'verdict bad', 'data-unreadable': 'yes' }, `✕ ${t('scene_unreadable')}`), el('div', { class: 'sub wrap' }, `${given.unreadable.line ? `${t('scene_row')} ${given.unreadable.line}: ` : ''}${given.unreadable.where} ${said(given.unreadable.text)}`), el('div', { class: 'sub wrap' }, t('scene_unreadable_how')));
      else if (given && !changed()) parts.push(el('div', { class: 'sub' }, t('scene_unchanged')));
      if (given?.unreadable && !changed()) { heads.check.replaceChildren(...parts); return; }
      if (!checked) parts.push(el('div', { class: 'sub' }, t('scene_checking')));
      else if (checked.failed) parts.push(el('div', { class: 'verdict bad' }, said(checked.failed)));
      else if (checked.problems.length) parts.push(el('div', { class: 'verdict bad', 'data-verdict': 'bad' }, `✕ ${checked.problems.length} ${t('scene_problems')}`), el('div', { class: 'problems' }, ...checked.problems.map((one) => {
        const [family, at_] = splitPath(one.where), key = family === 'calibration' ? 'calibration/0' : `${family}/${at_}`;
        return button('', () => { if (itemOf(key)) { chosen = key; drop(); } }, 'problem', { 'data-where': one.where });
      }).map((made, i) => { const one = checked.problems[i]; made.append(el('b', {}, one.item || page.texts[`scene_one.${splitPath(one.where)[0]}`] || ''), el('span', { class: 'sub' }, ` ${one.where}`), el('div', {}, said(one.text))); return made; })));
      else {
        const bad = checked.findings.filter((one) => !one.ok);
        parts.push(el('div', { class: `verdict ${bad.length ? 'warn' : 'good'}`, 'data-verdict': bad.length ? 'warn' : 'good' }, bad.length ? `▲ ${t('scene_but')}` : `✓ ${t('scene_sound')}`),
          ...checked.findings.map((one) => el('div', { class: 'finding' }, el('span', { class: `mark ${one.ok ? 'good' : 'warn'}` }, one.ok ? '●' : '▲'), el('span', {}, el('b', {}, one.what), ` ${said(one.detail)}`))));
      }
      heads.check.replaceChildren(...parts);
    };
    const drawTrial = () => {
      const hours = select(String(drawTrial.hours ?? 1), [[0.25, '15'], [1, '60'], [4, '240'], [24, '1440']].map(([v, text]) => [String(v), `${text} ${t('minutes_short')}`]), (v) => { drawTrial.hours = +v; }, { 'aria-label': t('scene_hours') });
      const parts = [el('h3', {}, t('scene_trial')), el('div', { class: 'sub wrap' }, t('scene_trial_how')), el('div', { class: 'acts' }, button(t('scene_try'), attempt, 'small-act', { 'data-do': 'try', ...(drawTrial.busy || !sound() ? { disabled: 'disabled' } : {}) }), hours)];
      if (drawTrial.busy) parts.push(el('div', { class: 'sub' }, t('scene_trying')));
      if (tried?.failed) parts.push(el('div', { class: 'verdict warn' }, said(tried.failed)));
      else if (tried) {
        const kinds = ['new', 'gone', 'moved', 'same'], moment = (s) => `${clock(s * 1000, { day: '2-digit', month: '2-digit' })} ${time(s * 1000)}`;
        parts.push(el('div', { class: 'sub wrap' }, tried.frames ? `${number(tried.frames)} ${t('scene_frames')}, ${moment(tried.from_s)} – ${moment(tried.to_s)}` : t('scene_no_frames')),
          el('table', { class: 'outcomes', 'data-changes': tried.changes_in_all }, el('thead', {}, el('tr', {}, el('th', {}, ''), ...kinds.map((kind) => el('th', { class: `num ${kind}` }, t(`scene_outcome.${kind}`))))),
            el('tbody', {}, ...Object.entries(tried.rules).map(([rule, counts]) => el('tr', { 'data-rule': rule }, el('th', {}, ruleName(rule)), ...kinds.map((kind) => el('td', { class: `num ${counts[kind] ? kind : 'zero'}` }, number(counts[kind] ?? 0))))))),
          !tried.changes_in_all ? el('div', { class: 'verdict good' }, t('scene_no_difference')) : null,
          ...tried.changes.slice(-20).map((one) => el('div', { class: 'finding' }, el('span', { class: `mark went ${one.outcome}` }, { new: '+', gone: '−', moved: '→' }[one.outcome]), el('span', {}, `${time(one.at_s * 1000)} ${ruleName(one.rule)} · ${page.texts[`road_user.${one.road_user}`] ?? one.road_user} #${one.track}`))),
          ...tried.caveats.map((text) => el('div', { class: 'sub wrap' }, `▲ ${said(text)}`)));
      }
      heads.trial.replaceChildren(...parts.filter(Boolean));
    };
    const sound = () => checked && !checked.failed && !checked.problems.length;
    const changed = () => given && !same(given.data, data);
    const diff = (lines) => el('pre', { class: 'diff', tabindex: '0' }, ...lines.map((text) => el('span', { class: text[0] === '+' ? 'plus' : text[0] === '-' ? 'minus' : text[0] === '@' ? 'at' : '' }, `${text}\n`)));
    // The note stays the same element: a check or a back-test may answer while it is being written.
    const note = el('input', { maxlength: 500, placeholder: t('scene_note'), 'aria-label': t('scene_note'), 'data-field': 'note' });
    const [overNote, underNote] = [el('div', { class: 'parts' }), el('div', { class: 'parts' })];
    heads.save.append(overNote, note, underNote);
    const fit = () => sound() && changed() && !!note.value.trim() && !drawSave.busy && (!!tried || !!drawSave.anyway);
    note.addEventListener('input', () => underNote.querySelector('[data-do=save]').toggleAttribute('disabled', !fit()));
    const drawSave = () => {
      const lines = checked?.diff ?? [];
      overNote.replaceChildren(...[el('h3', {}, t('scene_saving')), changed() && lines.length ? el('details', {}, el('summary', {}, `${t('scene_diff')} (+${lines.filter((l) => l[0] === '+').length} −${lines.filter((l) => l[0] === '-').length})`), diff(lines)) : null,
        changed() && sound() && !tried ? tick(t('scene_untried'), drawSave.anyway, (on) => { drawSave.anyway = on; drawSave(); }, { 'data-field': 'anyway' }) : null].filter(Boolean));
      underNote.replaceChildren(...[el('div', { class: 'acts' }, button(t('scene_save'), () => { if (fit()) save(); }, 'good', { 'data-do': 'save', ...(fit() ? {} : { disabled: 'disabled' }) })),
        saved ? el('div', { class: `verdict ${drawSave.state ?? ''}`, 'data-saved': drawSave.state }, saved) : null,
        drawSave.late ? button(t('scene_theirs'), takeTheirs, 'small-act', { 'data-do': 'theirs' }) : null].filter(Boolean));
    };
    const drawVersions = () => {
      heads.versions.replaceChildren(el('h3', {}, t('scene_versions')), ...(given?.versions ?? []).map((one) => {
        const here = one.sha256 === given.in_force, row = button('', () => look(one.number), `entry version ${opened?.number === one.number ? 'on' : ''}`, { 'data-version': one.number });
        row.append(el('span', { class: 'n num' }, `${one.number}`), el('span', {}, el('div', {}, one.note || (one.author ? '' : t('scene_by_hand')), here ? el('span', { class: 'tag good' }, t('scene_in_force')) : null),
          el('div', { class: 'sub' }, `${clock(one.at_ms, { day: '2-digit', month: '2-digit', year: 'numeric' })} ${time(one.at_ms)}${one.author ? ` · ${one.author}` : ''}`)));
        return opened?.number === one.number ? el('div', {}, row, opened.diff.length ? diff(opened.diff) : el('div', { class: 'sub' }, t('scene_first_version')),
          button(t('scene_restore'), () => { const found = opened; change(() => { data = copy(found.data); onFrom = found.number; chosen = ''; }); note.value = `${t('scene_back_to')} ${found.number}`; drawSave(); }, 'small-act', { 'data-do': 'restore' })) : row;
      }));
    };
    const drawTools = () => {
      tools.replaceChildren(...TOOLS.map(([name, key, form]) => { const made = button('', () => tool?.name === name ? drop() : pick(name), `tool ${tool?.name === name ? 'on' : ''}`, { 'data-tool': name, 'aria-pressed': String(tool?.name === name), title: `${t(`scene_tool.${name}`)} (${key.toUpperCase()})` });
        made.append(icon(name, form), el('span', {}, t(`scene_tool.${name}`)), el('kbd', {}, key.toUpperCase())); return made; }));
      const health = given?.camera;
      what.replaceChildren(...[el('a', { href: `/cameras?camera=${encodeURIComponent(id)}`, class: 'back', 'aria-label': t('cameras') }, '‹'), el('b', {}, health?.name || id), el('span', { class: 'sub' }, `${health?.place ?? ''} · ${id}`),
        health?.fits_scene === false ? el('span', { class: 'tag warn' }, t('cameras_moved')) : null, health?.notice ? el('span', { class: 'tag bad', title: said(health.notice) }, t('scene_refused')) : null, el('span', { class: 'grow' }),
        button('↶', undo, 'small-act', { title: `${t('scene_undo')} (Ctrl+Z)`, 'aria-label': t('scene_undo'), 'data-do': 'undo', ...(undone.length ? {} : { disabled: 'disabled' }) }), button('↷', redo, 'small-act', { title: `${t('scene_redo')} (Ctrl+Y)`, 'aria-label': t('scene_redo'), ...(redone.length ? {} : { disabled: 'disabled' }) }),
        button('−', () => zoom(1.4), 'small-act', { 'aria-label': t('scene_zoom_out') }), button('+', () => zoom(0.7), 'small-act', { 'aria-label': t('scene_zoom_in') }),
        tick(t('scene_live'), live, (v) => { live = v; if (v) refresh(); }), tick(t('scene_drawing'), shown, (v) => { shown = v; paint(); }), tick(t('scene_grid'), grid, (v) => { grid = v; paint(); })].filter(Boolean));
    };
    const icon = (name, form) => { const made = svg('svg', { viewBox: '0 0 20 20', class: `icon ${name}`, 'aria-hidden': 'true' });
      made.append({ area: () => svg('path', { d: 'M3 15L6 4L17 6L15 16Z' }), line: () => svg('path', { d: 'M3 14L17 6' }), box: () => svg('path', { d: 'M6 3H14V17H6Z' }), point: () => svg('path', { d: 'M5 5L15 15M5 15L15 5' }) }[form]());
      return made; };
    // A button that were drawn anew between press and release would miss its click.
    let pressed = false, late = false;
    root.addEventListener('pointerdown', (event) => { pressed = event.button === 0 && !!event.target.closest('button, label'); }, true);
    for (const ended of ['pointerup', 'pointercancel']) window.addEventListener(ended, () => { pressed = false; setTimeout(() => { if (late) draw(); }); }, true);
    const draw = () => { if (pressed) { late = true; return; } late = false; drawTools(); paint(); const held = document.activeElement?.closest?.('.props') ? document.activeElement : null, mark = held && ['data-metre', 'data-field', 'data-way', 'data-rule', 'data-item'].map((name) => held.getAttribute(name) && `[${name}="${CSS.escape(held.getAttribute(name))}"]`).find(Boolean);
      drawCheck(); if (!typing(heads.item)) drawItem(); drawItems(); if (!typing(heads.rules)) drawRules(); if (!typing(heads.trial)) drawTrial(); drawSave(); drawVersions();
      if (mark && !held.isConnected) { const at = side.querySelector(mark); at?.focus({ preventScroll: true }); if (at?.matches('input:not([type=checkbox])')) at.select(); } };

    // --- what the service does
    const drawn = () => ({ data, version: onFrom || given.version });
    async function check() {
      const asked = JSON.stringify(data);
      let found;
      try { found = await call('POST', '/check', drawn()); } catch (error) { found = { failed: error.message, problems: [], findings: [], diff: [], calibration: null }; }
      if (asked !== JSON.stringify(data)) return;
      checked = found; draw();
    }
    async function attempt() {
      drawTrial.busy = true; tried = null; draw();
      const asked = JSON.stringify(data);
      let found;
      try { found = await call('POST', '/backtest', { ...drawn(), hours: drawTrial.hours ?? 1 }); } catch (error) { found = { failed: error.message }; }
      drawTrial.busy = false;
      if (asked === JSON.stringify(data)) tried = found;
      draw();
    }
    async function save() {
      drawSave.busy = true; saved = t('scene_sending'); drawSave.state = ''; drawSave.late = false; drawSave();
      const sent = copy(data), before = given.camera.notice;
      // Of a file mended here the complaint stands for a moment longer.
      const heard = (etag) => given.in_force === etag ? !given.camera.notice : given.camera.notice && given.camera.notice !== before;
      try {
        const { etag, version } = await call('PUT', '', { ...drawn(), etag: given.etag, note: note.value.trim() });
        // What was drawn while it was on its way stays, and is not saved yet.
        given = { ...given, data: sent, etag, version, unreadable: null }; onFrom = 0;
        note.value = ''; drawSave.anyway = false; keep(); touched();
        await news();
        for (let turn = 0; turn < 60 && !heard(etag); turn++) { saved = t('scene_waiting'); draw(); await new Promise((go) => setTimeout(go, 300)); await news(); }
        [saved, drawSave.state] = given.in_force === etag ? [`✓ ${t('scene_taken_up')} ${time(Date.now())}`, 'good'] : [said(given.camera.notice) || t('scene_not_yet'), 'warn'];
      } catch (error) { saved = said(error.message); drawSave.state = 'bad'; drawSave.late = error.status === 412; }
      drawSave.busy = false; draw();
    }
    // The scene as the other one saved it; what was drawn here is one step of undoing away.
    async function takeTheirs() {
      try { const theirs = await call('GET', ''); change(() => { given = theirs; onFrom = 0; data = copy(theirs.data); if (!itemOf(chosen)) chosen = ''; }); saved = ''; drawSave.late = false; } catch (error) { saved = said(error.message); }
      draw();
    }
    async function look(n) { opened = opened?.number === n ? null : await call('GET', `/versions/${n}`); drawVersions(); }
    async function load() { given = await call('GET', ''); data = copy(given.data); touched(); draw(); }
    // How what was saved fares; if somebody else has saved since, that is theirs, and told when it is saved again.
    async function news() { const { camera, versions, in_force } = await call('GET', ''); given = { ...given, camera, versions, in_force }; draw(); }
    let last = '';
    async function refresh() {
      try {
        const answer = await fetch(`/api/v1/cameras/${encodeURIComponent(id)}/still?full=true`);
        if (answer.status === 401) { location.href = '/login'; return; }
        if (!answer.ok) throw new Error(String(answer.status));
        const url = URL.createObjectURL(await answer.blob()), loaded = new Image();
        loaded.src = url; await loaded.decode();
        const h = WIDE * loaded.naturalHeight / loaded.naturalWidth;
        // The analysed stream, which stands in for a full still, may have another shape: what one looks at stays.
        if (Math.abs(h - high) > 1) { view = { ...view, y: view.y * h / high, h: view.h * h / high }; high = h; picture.setAttribute('height', h); seen.setAttribute('height', h); draw(); }
        picture.setAttribute('href', url); picture.dataset.seen = String(+(picture.dataset.seen ?? 0) + 1);
        if (last) URL.revokeObjectURL(last);
        last = url; stage.classList.remove('lost');
      } catch { stage.classList.add('lost'); stage.dataset.lost = t('scene_no_still'); }
      if (live) { clearTimeout(refresh.timer); refresh.timer = setTimeout(refresh, STILL_MS); }
    }
    window.addEventListener('beforeunload', (event) => { if (changed()) event.preventDefault(); });
    try {
      const me = await (await fetch('/api/v1/me')).json();
      csrf = me.csrf_token; slot = `ngatu-scene/${me.name}/${id}`;
      await load();
      left = kept(); drawCheck();
    } catch (error) { root.replaceChildren(el('div', { class: 'none' }, said(error.message), el('div', {}, el('a', { href: '/cameras' }, t('cameras'))))); return; }
    refresh();
  });
})();
