"""Values to terminal text, JSON and HTML.

Why it exists: one simulation is read by people, programs and browsers; the three views of it live here.

    wording    numbers as a person says them
    series     the course of the run as rows over time
    summary    the sentences and rows that terminal and page share
    terminal   what `simulate` prints;  tables, problems, drawing are its parts
    machine    what `-o json` prints
    html       what `--html` writes;  charts and page.{html,css,js} are its parts

What it must not know: every room but model; a report never computes a decision or a cost.
"""
