"""Deploying on AWS: a project's deployment as a CloudFormation template, its code as zip files, and its stack."""
