"""Arguments and options that several verbs share."""

import click

suites_argument = click.argument("suites", nargs=-1, metavar="[SUITE...]")
"""Names of suites or paths of YAML files; none means all of the project's own."""

rows_option = click.option("--rows", "glob", metavar="GLOB", help="Only rows whose id matches, e.g. 'hrnet-*'.")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
