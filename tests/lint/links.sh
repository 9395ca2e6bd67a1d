#!/usr/bin/env bash
# Links between pages lead somewhere: files exist, and so do the headings behind a #. Files of
# the source that pages name in `code` exist, too.
. "$(dirname "$0")/sources.sh"

python3 - <<'END'
import os, re, sys

pages = [os.path.join(top, name)[2:]
         for top, dirs, names in os.walk(".")
         for name in names if name.endswith(".md")
         and not re.search(r"/(build|node_modules|target|\.[^/]+)(/|$)", top)]
complaints = []

def without_code(text):
    return re.sub(r"^( *)```.*?^\1```", lambda m: "\n" * m[0].count("\n"), text, flags=re.S | re.M)

# As GitHub and GitLab make them of headings.
def anchors_of(path):
    seen, anchors = {}, set()
    for heading in re.findall(r"^#+ +(.*?) *#*$", without_code(open(path, encoding="utf-8").read()), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        again = seen.get(anchor, 0)
        seen[anchor] = again + 1
        anchors.add(f"{anchor}-{again}" if again else anchor)
    return anchors

n_links = 0
for page in sorted(pages):
    text = without_code(open(page, encoding="utf-8").read())
    here = os.path.dirname(page)
    spans = re.sub(r"`[^`\n]*`", "", text)
    for target in re.findall(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)", spans):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        n_links += 1
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(here, path)) if path else page
        if not os.path.exists(path):
            complaints.append(f"{page}: no such file: {target}")
        elif anchor and (not path.endswith(".md") or anchor not in anchors_of(path)):
            complaints.append(f"{page}: no such heading: {target}")
    # Paths from the top that begin with a folder of the source; * stands for anything.
    for name in re.findall(r"`((?:src|tun|platform|tests|deploy|docs|configs|include)/[\w./*-]+)`", text):
        if "*" not in name and not os.path.exists(name) and not os.path.exists(os.path.join(here, name)):
            complaints.append(f"{page}: no such file: `{name}`")
    # Files of a layer: p2p/…, overlay/…, daemon/… are below src.
    for name in re.findall(r"`((?:base|crypto|p2p|overlay|daemon|cli|lib)/[\w./-]+\.[ch])`", text):
        if not os.path.exists(os.path.join("src", name)):
            complaints.append(f"{page}: no such file: `src/{name}`")

if len(pages) < 20 or n_links < 50:
    complaints.append("few pages or links were found: teach tests/lint/links.sh to read them")
print("\n".join(complaints) if complaints else f"{len(pages)} pages, {n_links} links")
sys.exit(bool(complaints))
END
