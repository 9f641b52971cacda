#!/usr/bin/env python3
"""Runs the Autobahn test suite against an echo server or a client and sums it up.

  run.py server URL [CASES ...]                 URL: ws://127.0.0.1:PORT/  (must echo every message)
  run.py client PORT [CASES ...] -- CMD ...     CMD walks the cases of ws://127.0.0.1:PORT, then exits:
        /getCaseCount -> one text message N; then for n in 1...N  /runCase?case=n&agent=AGENT, echoing until the
        close; at last /updateReports?agent=AGENT. PORT and AGENT are in CMD's environment.
  CASES: '*' (default, 517 cases), '6.*', '12.1.*', 1.1.1, or light (1-7, 10), perf (9), deflate (12, 13)
  AUTOBAHN=DIR (default: autobahn under TMPDIR, as installed by setup.sh), AGENT=name (lowercase), OUT=folder for the reports

Allow messages of 16 MiB and 65,537 fragments for 9.*; a server must honour server_max_window_bits and both
no_context_takeover offers for 13.*, a client must offer client_max_window_bits. Exit status: 0 where every case is
OK, INFORMATIONAL or a NON-STRICT that the article Conformance names, in behaviour and close; 1 where one is not; 2 where
nothing ran. FAILED BY CLIENT, the suite's word for a server that leaves it to the client to close the connection, is a
failure: RFC 6455 §7.1.1 wants the server to close it first.
A lone FAILED can be a deadline missed on a busy machine: run that case again.
"""
import collections, json, os, re, signal, socket, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(HERE, "../../Sources/WSFrame/WSFrame.docc/Conformance.md")
ROOT = os.environ.get("AUTOBAHN") or os.path.join(tempfile.gettempdir(), "autobahn")
SHORT = {"light": [f"{i}.*" for i in (1, 2, 3, 4, 5, 6, 7, 10)], "perf": ["9.*"], "deflate": ["12.*", "13.*"]}


def known_cases():
    return open(os.path.join(HERE, "cases.txt")).read().split()


def documented():
    """The cases in the table of NON-STRICT ones."""
    _, found, section = open(DOCS).read().partition("### NON-STRICT cases\n")
    if not found:
        sys.exit(f"run.py: no table of NON-STRICT cases in {DOCS}")
    rows = re.findall(r"^\| *([^|]*?) *\|", section.partition("\n## ")[0], re.M)
    return {case for case in rows if case in set(known_cases())}


def pick(globs):
    every = known_cases()
    chosen = set()
    for glob in globs or ["*"]:
        for part in SHORT.get(glob, [glob]):
            rx = re.compile("^" + re.escape(part).replace(r"\*", ".*") + "$")
            hit = {c for c in every if rx.match(c)}
            if not hit:
                sys.exit(f"run.py: no case matches {part!r}")
            chosen |= hit
    return [c for c in every if c in chosen]


def wait_for(port, process):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit("run.py: the fuzzing server did not start")
            time.sleep(0.05)


def main(argv):
    if len(argv) < 2 or argv[0] not in ("server", "client"):
        print(__doc__)
        return 2
    mode, target, rest = argv[0], argv[1], argv[2:]
    command = rest[rest.index("--") + 1:] if "--" in rest else []
    cases = pick(rest[:rest.index("--")] if "--" in rest else rest)
    agent = os.environ.get("AGENT", "longwire")
    out = os.environ.get("OUT") or tempfile.mkdtemp(prefix="autobahn-")
    os.makedirs(out, exist_ok=True)
    spec = {"outdir": out, "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    if mode == "server":
        spec["servers"] = [{"agent": agent, "url": target}]
    else:
        spec["url"] = f"ws://127.0.0.1:{target}"
    spec_path = os.path.join(out, "spec.json")
    json.dump(spec, open(spec_path, "w"))
    log = open(os.path.join(out, "wstest.log"), "wb")
    wstest = [os.path.join(ROOT, "wstest"), "-s", spec_path]
    began = time.time()
    if mode == "server":
        subprocess.run(wstest + ["-m", "fuzzingclient"], stdout=log, stderr=log)
    else:
        server = subprocess.Popen(wstest + ["-m", "fuzzingserver", "-u", "0"], stdout=log, stderr=log)
        try:
            wait_for(int(target), server)
            subprocess.run(command, env=dict(os.environ, PORT=target, AGENT=agent))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    try:
        results = json.load(open(os.path.join(out, "index.json")))[agent]
    except (OSError, KeyError):
        print(f"no results; see {log.name}")
        return 2
    count = lambda field: ", ".join(f"{k} {v}" for k, v in sorted(collections.Counter(r[field] for r in results.values()).items()))
    print(f"cases {len(results)} of {len(cases)} in {time.time() - began:.0f} s; behaviour: {count('behavior')}; close: {count('behaviorClose')}")
    named = documented()
    good = lambda case: {"OK", "INFORMATIONAL"} | ({"NON-STRICT"} if case in named else set())
    verdicts = {c: {results[c]["behavior"], results[c]["behaviorClose"]} for c in cases if c in results}
    bad = [c for c in cases if c not in verdicts or not verdicts[c] <= good(c)]
    for case in bad:
        r = results.get(case)
        why = ""
        if r:
            try:
                report = json.load(open(os.path.join(out, r["reportfile"])))
                why = (report.get("resultClose") if r["behavior"] in good(case) else report.get("result")) or ""
            except OSError:
                pass
        print(f"  {case:8} {r['behavior'] + ' / ' + r['behaviorClose'] if r else 'did not run':32} {why[:120]}")
    for case in cases:
        if "NON-STRICT" in verdicts.get(case, ()):
            print(f"  {case:8} NON-STRICT{'' if case in named else ', and not in the article Conformance'}")
    print(f"reports: {out}")
    return 1 if bad else 0


sys.exit(main(sys.argv[1:]))
