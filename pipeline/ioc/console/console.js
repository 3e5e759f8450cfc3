// What must be quicker than a question to the server: frames of the clip, and looking closer at a still.
(() => {
  const typing = (e) => /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
  const film = () => document.querySelector('video');
  const step = (by) => { const v = film(); if (v) { v.pause(); v.currentTime = Math.max(0, v.currentTime + by / 25); } };
  window.ngatuStep = step;
  window.ngatuZoom = (src) => {
    const box = document.createElement('div'); box.className = 'zoom'; box.tabIndex = 0;
    const img = document.createElement('img'); img.src = src; img.draggable = false; box.append(img);
    let k = 1, x = 0, y = 0, from = null;
    const show = () => { img.style.transform = `translate(${x}px,${y}px) scale(${k})`; };
    const scale = (by, cx, cy) => { const n = Math.min(12, Math.max(1, k * by));
      x = cx - (cx - x) * n / k; y = cy - (cy - y) * n / k; k = n; if (k === 1) { x = y = 0; } show(); };
    box.addEventListener('wheel', (e) => { e.preventDefault(); scale(e.deltaY < 0 ? 1.25 : 0.8, e.clientX, e.clientY); },
      { passive: false });
    box.addEventListener('pointerdown', (e) => { from = [e.clientX - x, e.clientY - y]; });
    box.addEventListener('pointermove', (e) => { if (from && e.buttons) { x = e.clientX - from[0]; y = e.clientY - from[1]; show(); } });
    box.addEventListener('dblclick', () => box.remove());
    box.ngatuScale = (by) => scale(by, innerWidth / 2, innerHeight / 2);
    document.body.append(box); box.focus();
  };
  addEventListener('keydown', (e) => {
    const zoomed = document.querySelector('.zoom');
    if (zoomed) {
      if (e.key === 'Escape' || e.key === 'z' || e.key === 'Z') zoomed.remove();
      else if (e.key === '+' || e.key === '=') zoomed.ngatuScale(1.25);
      else if (e.key === '-') zoomed.ngatuScale(0.8);
      e.stopImmediatePropagation(); e.preventDefault(); return;
    }
    if (typing(e) || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === ',') step(-1);
    else if (e.key === '.') step(1);
    else if (e.key === ' ' && film()) { const v = film(); v.paused ? v.play() : v.pause(); e.preventDefault(); }
    else if (e.key === 'o' || e.key === 'O') document.body.classList.toggle('noboxes');
    else if (e.key === 'z' || e.key === 'Z') { const i = document.querySelector('.shot.mid img, img.still'); if (i) window.ngatuZoom(i.src); }
  }, true);
  addEventListener('click', (e) => { const i = e.target.closest('.shot'); if (i) window.ngatuZoom(i.querySelector('img').src); });
})();
