"""Remote control of a peer: commands come as JSON lines on standard input, answers and events go to standard output.

    → {"id": 1, "command": "send", "count": 3, "sizes": [0, 452]}
    ← {"id": 1, "result": {}}          or   {"id": 1, "error": "ConnectionClosedError", "message": "…"}
    ← {"event": "closed", …}
"""

import asyncio
import json
import os
import sys
import threading


def tell(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def obey(commands):
    """Starts to run `commands[name](**arguments)` for each line, each in a task of its own."""
    loop = asyncio.get_running_loop()
    tasks = set()

    async def answer(id, command, **arguments):
        try:
            result = await commands[command](**arguments)
            tell(id=id, result=result or {})
        except Exception as error:
            tell(id=id, error=type(error).__name__, message=str(error))

    def start(request):
        task = loop.create_task(answer(**request))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(start, json.loads(line))
        # Whoever started this is gone, or wants it to be.
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
