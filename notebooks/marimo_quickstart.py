import marimo

app = marimo.App(width="medium", app_title="Devin in marimo")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Devin in marimo

    Everything here runs against the simulator that comes with the package: no account, no key, no cost. To use the real
    service, set `DEVIN_API_KEY` and leave out `dj.connect(simulator=True)`. There are no magics in marimo; every
    `%devin` command is a function.
    """)
    return


@app.cell
def _():
    import marimo as mo

    import devin_jupyter as dj

    devin = dj.connect(simulator=True, speed=240)  # a turn takes a second
    return devin, dj, mo


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## One session

    `dj.create` is the function behind `%%devin`. When the cell runs again, it attaches to the session that is there:
    nothing is paid for twice.
    """)
    return


@app.cell
def _(devin, dj):
    audit = dj.create(
        "Find places where user input reaches SQL without parameters.",
        repos=["acme/api"],
        schema="[file:str, severity:low|high, summary:str]",
        max_acu=5,
    )
    audit.panel()
    return (audit,)


@app.cell
def _(audit):
    audit.result()  # waits for the end of the turn
    audit.frame()
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## A follow-up

    The session still knows what it did. Its panel above moves on; the table above stays the first answer, and the one
    below is the new one.
    """)
    return


@app.cell
def _(audit):
    audit.send("Fix the first one, and add a test.").result()
    audit.frame()
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## A batch: one session a row
    """)
    return


@app.cell
def _(devin, dj):
    upgrade = dj.map(
        "Upgrade {{ row }} to Python 3.14, and say what had to change.",
        ["acme/api", "acme/web", "acme/docs"],
        repos=["{{ row }}"],
        schema="changed:int, notes:str",
        name="upgrade",
        max_acu=3,
    )
    upgrade.panel()
    return (upgrade,)


@app.cell
def _(upgrade):
    upgrade.wait()
    upgrade.frame()
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## The commands
    """)
    return


@app.cell
def _(dj, upgrade):
    upgrade.wait()
    dj.commands.usage(since="7d")
    return


@app.cell
def _(devin, dj):
    dj.commands.whoami()
    return


if __name__ == "__main__":
    app.run()
