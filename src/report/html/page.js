'use strict';
(() => {
  const by = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll('details.case')];
  const groups = [...document.querySelectorAll('section.group')];
  const text = by('filter-text');
  const form = by('filters');
  const choices = ['status', 'mode', 'factor', 'verdict'].map((name) => [name, by(`filter-${name}`)]);
  const words = {
    accepted: 'accepted', challenged: 'challenged', refused: 'refused', 'not-implemented': 'no such route',
    throttled: 'throttled', failed: 'no usable answer',
    applied: 'applied', 'not-applied': 'not applied', partial: 'partly applied',
    unconfirmed: 'applied as far as it could be read', unknown: 'unknown', none: 'none to read',
  };

  // What the registry said is only ever set as text.
  const make = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };

  // The bodies are unpacked once, when the first is wanted.
  let unpacking = null;
  const unpack = () => (unpacking ??= (async () => {
    const packed = Uint8Array.from(atob(by('archive').textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    return JSON.parse(await new Response(stream).text());
  })());

  const number = (row) => Number(row.id.slice('case-'.length));

  const pretty = (body) => {
    try {
      const value = JSON.parse(body);
      return typeof value === 'object' && value !== null ? JSON.stringify(value, null, 2) : body;
    } catch {
      return body;
    }
  };

  const message = (caption, first, headers, body) => {
    const pre = make('pre', { tabindex: '0' }, make('span', { class: 'first' }, first));
    for (const [name, value] of headers) pre.append('\n', make('span', { class: 'name' }, `${name}: `), value);
    if (body) pre.append('\n\n', pretty(body));
    return make('figure', {}, make('figcaption', {}, caption), pre);
  };

  const http = (exchange) => {
    const took = `${(exchange.elapsed_us / 1000).toFixed(1)} ms`;
    const answer = exchange.status === null
      ? message(`No usable answer after ${took}`, exchange.fault ?? 'no answer', [], null)
      : message(`Answer after ${took}`, `HTTP ${exchange.status}`, exchange.answer_headers,
        exchange.fault ? `${exchange.answer_body ?? ''}\n\n(${exchange.fault})` : exchange.answer_body);
    return make('div', { class: 'http' }, message('Request', exchange.request, exchange.headers, exchange.body), answer);
  };

  const step = (probe, telling) => {
    const proof = probe.proof === 'none' ? 'no proof' : probe.proof;
    const first = probe.exchanges[0];
    const status = first?.status ? `${first.status} ` : '';
    const took = ['applied', 'partial', 'unconfirmed'].includes(probe.effect);
    const count = probe.exchanges.length;
    const exchanges = make('details', {},
      make('summary', {}, count === 1 ? '1 request and its answer' : `${count} requests and their answers`));
    exchanges.addEventListener('toggle', () => {
      if (exchanges.open && exchanges.childElementCount === 1) exchanges.append(...probe.exchanges.map(http));
    });
    return make('li', { class: telling ? 'step telling' : 'step' },
      make('span', { class: 'arrow there' }, make('b', {}, probe.name), ` with ${proof}`,
        first ? ` · ${first.request}` : ''),
      make('span', { class: 'arrow back' }, make('b', {}, status, words[probe.answer] ?? probe.answer),
        probe.shape ? ` · ${probe.shape}` : ''),
      make('span', { class: took ? 'effect took' : 'effect' }, 'effect: ', make('b', {}, words[probe.effect] ?? probe.effect)),
      count ? exchanges : null);
  };

  const fact = (name, ...values) => make('div', {}, make('dt', {}, name), make('dd', {}, ...values));

  const repeat = (command) => {
    const button = make('button', { type: 'button' }, 'Copy');
    const code = make('code', {}, command);
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(command);
        button.textContent = 'Copied';
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = 'Selected';
      }
    });
    return make('div', { class: 'repeat' }, code, button);
  };

  // A line for each probe, below what the case states beside them.
  const observed = (found) => {
    const lines = found.probes.map((probe) => `${probe.name}: ${probe.outcome}, effect ${words[probe.effect] ?? probe.effect}`);
    const joined = lines.join('; ');
    if (lines.length < 2 || !found.observed.endsWith(joined)) return [found.observed];
    const stated = found.observed.slice(0, -joined.length).replace(/; $/, '');
    return [stated, ...lines].filter(Boolean).map((line) => make('div', {}, line));
  };

  const body = (found) => {
    const facts = make('dl', {},
      found.label && found.label !== found.expected ? fact('Row', found.label, found.command ? make('code', {}, ` ${found.command}`) : null) : null,
      fact('Expected', found.expected),
      fact('Observed', ...observed(found)),
      found.verdicts.length ? fact('Verdicts', found.verdicts.join(', ')) : null,
      found.known === null ? null : fact('Known, because', `${found.known.reason} (until ${found.known.until})`),
      ...found.cites.map((cite, at) => fact(at === 0 ? 'Said in' : '', cite)),
      fact('Binding', `${found.level}, ${found.standing}`),
      ...(found.earlier ?? []).map((earlier) => fact('At first', `${earlier.verdicts.join(', ')}: ${earlier.observed}`)),
      ...(found.left ?? []).map((left) => fact('Left on the target', left)),
      fact('Repeat', repeat(found.repeat)));
    const session = !found.session ? null : make('div', {},
      ...found.session.commands.map((command) => make('figure', {},
        make('figcaption', {}, `${found.client}, ${found.situation}: ${command.hung ? 'ended, as it did not end' : `exit ${command.exit ?? 'by a signal'}`} after ${command.elapsed_ms} ms`),
        make('pre', { tabindex: '0' }, make('span', { class: 'first' }, `$ ${command.line}`), '\n', command.transcript))));
    const sequence = found.probes.length === 0 ? null : make('div', {},
      make('div', { class: 'ends', 'aria-hidden': 'true' }, make('span', {}, 'user'), make('span', {}, 'registry')),
      make('ol', { class: 'sequence', 'aria-label': 'What was sent and answered, in order' },
        ...found.probes.map((probe, at) => step(probe, found.status === 'fail' && at === found.showing))));
    return make('div', { class: 'body' }, facts, session, sequence);
  };

  const show = async (row) => {
    if (row.querySelector('.body')) return;
    try {
      const cases = await unpack();
      if (!row.querySelector('.body')) row.append(body(cases[number(row)]));
    } catch (error) {
      row.append(make('p', { class: 'body' }, `This browser cannot unpack the case (${error}); result.json holds it.`));
    }
  };
  for (const row of rows) row.addEventListener('toggle', () => { if (row.open) show(row); });

  // Text is looked for in the list at once, and in what was expected and seen once that is unpacked.
  const haystacks = rows.map((row) => row.textContent.toLowerCase());
  let deep = false;
  const deepen = async () => {
    if (deep) return;
    deep = true;
    const cases = await unpack();
    rows.forEach((row, at) => {
      const found = cases[number(row)];
      haystacks[at] += ` ${[found.command, found.expected, found.observed, found.known?.reason ?? '', ...found.cites].join(' ').toLowerCase()}`;
    });
    filter();
  };

  const filter = () => {
    const wanted = text.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const value = Object.fromEntries(choices.map(([name, choice]) => [name, choice.value]));
    let shown = 0;
    rows.forEach((row, at) => {
      const fits = wanted.every((word) => haystacks[at].includes(word))
        && (!value.status || row.parentElement.dataset.status === value.status)
        && (!value.mode || row.dataset.mode === value.mode)
        && (!value.factor || row.dataset.factor === value.factor)
        && (!value.verdict || row.dataset.verdict.split(' ').includes(value.verdict));
      row.hidden = !fits;
      shown += fits;
    });
    for (const group of groups) group.hidden = !group.querySelector('details.case:not([hidden])');
    by('count').textContent = `${shown} of ${rows.length} cases`;
    by('nothing').hidden = shown > 0;
  };

  form.addEventListener('input', () => { if (text.value) deepen().catch(() => {}); filter(); });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(filter));
  by('unfold').addEventListener('click', () => rows.forEach((row) => { if (!row.hidden) row.open = true; }));
  by('fold').addEventListener('click', () => rows.forEach((row) => { row.open = false; }));
  for (const button of document.querySelectorAll('button.show')) {
    button.addEventListener('click', () => {
      form.reset();
      by('filter-status').value = button.dataset.status;
      by('filter-verdict').value = button.dataset.verdict;
      setTimeout(() => { filter(); by('cases').scrollIntoView(); text.focus({ preventScroll: true }); });
    });
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches('input, select');
    if (event.key === '/' && !typing) {
      event.preventDefault();
      text.focus();
      text.select();
    } else if (event.key === 'Escape') {
      form.reset();
    }
  });

  const follow = async () => {
    const aim = location.hash.length > 1 ? by(location.hash.slice(1)) : null;
    if (!aim) return;
    const fold = aim.querySelector(':scope > details.fold');
    if (fold) fold.open = true;
    if (!aim.matches('details.case')) return;
    if (aim.hidden) { form.reset(); filter(); }
    aim.open = true;
    await show(aim);
    aim.scrollIntoView();
    aim.querySelector('summary').focus({ preventScroll: true });
  };
  addEventListener('hashchange', follow);
  // A second press on the same link changes no hash.
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#case-"]');
    if (link && link.hash === location.hash) follow();
  });
  addEventListener('beforeprint', () => document.querySelectorAll('details.fold').forEach((fold) => { fold.open = true; }));
  // A browser that reloads keeps what was chosen.
  filter();
  follow();
})();
