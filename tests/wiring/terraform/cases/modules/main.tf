terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_sqs_queue" "theirs" {
  name = "theirs"
}

resource "aws_sqs_queue" "dlq" {
  name = "dlq"
}

module "names" {
  source = "./naming"
  dlq    = aws_sqs_queue.dlq
}

module "orders" {
  source = "./worker"
  name   = "orders"
  dlq    = aws_sqs_queue.dlq.arn
}

# A whole resource is handed over, through a module without resources.
module "refunds" {
  source = "./worker"
  name   = "refunds"
  dlq    = module.names.dlq.arn
}

module "kinds" {
  for_each = toset(["a", "b"])
  source   = "./worker"
  name     = each.key
  dlq      = data.aws_sqs_queue.theirs.arn
}

resource "aws_sns_topic" "orders" {
  name = "orders"
}

resource "aws_sns_topic_subscription" "orders" {
  topic_arn      = aws_sns_topic.orders.arn
  protocol       = "sqs"
  endpoint       = module.orders.queue_arn
  redrive_policy = jsonencode({ deadLetterTargetArn = module.names.dlq.arn })
}

resource "aws_sns_topic_subscription" "kinds" {
  for_each  = module.kinds
  topic_arn = aws_sns_topic.orders.arn
  protocol  = "sqs"
  endpoint  = each.value.queue_arn
}

resource "aws_cloudwatch_metric_alarm" "dlq" {
  alarm_name          = "dlq"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  alarm_actions       = [aws_sns_topic.orders.arn]
  dimensions          = { QueueName = module.names.dlq.name }
}

# Objects with several ARNs: a plan does not show which of them is which.
locals {
  shared = aws_sqs_queue.dlq.arn
}
resource "aws_kinesis_stream" "clicks" {
  name        = "clicks"
  shard_count = 1
}
resource "aws_sqs_queue" "uploads" {
  name = "uploads"
}
module "mapped" {
  source = "./mapped"
  sources = {
    clicks  = { arn = aws_kinesis_stream.clicks.arn, failed = aws_sqs_queue.dlq.arn }
    uploads = { arn = aws_sqs_queue.uploads.arn, failed = null }
  }
  queue = { name = "mapped", dlq = local.shared, other = aws_sqs_queue.uploads.arn }
}
