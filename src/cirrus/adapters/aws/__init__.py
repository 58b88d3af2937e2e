"""The AWS home: DynamoDB, S3, SQS, SNS, Step Functions, CloudWatch Logs; one file for each port that it serves."""
