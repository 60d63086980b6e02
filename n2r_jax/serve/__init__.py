"""A page and a JSON endpoint around a trained run: `n2r serve --run DIR`.

Needs `pip install n2r_jax[serve]`.

command.py   finds the run, warms it up, listens
app.py       the routes; schemas.py what they take and give
batching.py  concurrent requests become one model call; model.py is that call, on shapes.py
guards.py    limits on size and time; page/ what the browser gets
"""
