"""Trying a workflow out: executions in memory whose tasks are mocked, cases in files, and single states looked into.

Nothing here runs a task, waits, or touches a deployment.
"""
