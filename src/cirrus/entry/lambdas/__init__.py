"""The functions of a deployment on AWS: `module.lambda_handler`, and the task wrapper."""
