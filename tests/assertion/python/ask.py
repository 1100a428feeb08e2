# Reads the example of docs/assertion.md from a file, then answers for each assertion on standard input whom it names.
import sys

example = {}
exec(compile(open(sys.argv[1]).read(), "docs/assertion.md", "exec"), example)
for line in sys.stdin:
    try:
        print(example["who"](line.rstrip("\n"))["sub"], flush=True)
    except Exception as refusal:
        print("refused", type(refusal).__name__, flush=True)
