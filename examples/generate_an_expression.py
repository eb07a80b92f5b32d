"""An expression that nobody performed, on the sample head: generate_an_expression.py EXPRESSION OUT [SEED]"""

from __future__ import annotations

import sys

from facecap_addon import api as facecap


def main(expression: str, out: str, seed: str = "1") -> int:
    made = facecap.generate(expression, out=out, seed=int(seed), blend=False)
    print(f"moments of it: {made.picture}")
    if made.take is not None:
        take = facecap.load_take(made.take)
        print(f"{take.frame_count} frames for {len(take.channels)} shape keys: {made.take}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
