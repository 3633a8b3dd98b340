terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

resource "aws_sqs_queue" "dlq" {
  name = "dlq"
}
resource "aws_sns_topic" "orders" {
  name   = "orders"
  policy = data.aws_iam_policy_document.alarms.json
}
resource "aws_s3_bucket" "failures" {
  bucket = "failures"
}
resource "aws_cloudwatch_event_rule" "placed" {
  name                = "placed"
  schedule_expression = "rate(1 day)"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}
data "aws_iam_policy_document" "dlq" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dlq.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "sns.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.placed.arn, aws_sns_topic.orders.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["111122223333"]
    }
  }
}
data "aws_iam_policy_document" "alarms" {
  statement {
    actions   = ["sns:Publish"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}
data "aws_iam_policy_document" "worker" {
  source_policy_documents = [data.aws_iam_policy_document.keep.json]
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dlq.arn]
  }
}
data "aws_iam_policy_document" "keep" {
  statement {
    sid       = "Keep"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.failures.arn}/*"]
  }
}

resource "aws_sqs_queue_policy" "dlq" {
  queue_url = aws_sqs_queue.dlq.id
  policy    = data.aws_iam_policy_document.dlq.json
}

resource "aws_iam_role" "worker" {
  name               = "worker"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}
resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.worker.json
}
resource "aws_iam_policy" "keep" {
  name   = "keep"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:PutObject", Resource = "${aws_s3_bucket.failures.arn}/*" }] })
}
resource "aws_iam_policy" "literal" {
  name   = "literal"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sqs:*", Resource = "*" }] })
}
resource "aws_iam_role_policy_attachment" "basic" {
  role       = aws_iam_role.worker.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}
resource "aws_iam_role_policy_attachment" "literal" {
  role       = aws_iam_role.worker.name
  policy_arn = aws_iam_policy.literal.arn
}
resource "aws_lambda_function" "worker" {
  function_name = "worker"
  role          = aws_iam_role.worker.arn
}

# Policies and patterns of which a plan shows nothing, since they contain an ARN that is not known.
resource "aws_sqs_queue" "closed" {
  name = "closed"
}
resource "aws_sqs_queue_policy" "closed" {
  queue_url = aws_sqs_queue.closed.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Principal = { Service = "sns.amazonaws.com" }, Action = "sqs:SendMessage", Resource = aws_sqs_queue.closed.arn
  }] })
}
resource "aws_iam_role" "sender" {
  name               = "sender"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}
resource "aws_iam_role_policy" "sender" {
  name = "sender"
  role = aws_iam_role.sender.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect = "Allow", Action = "sqs:SendMessage", Resource = aws_sqs_queue.closed.arn
  }] })
}
resource "aws_lambda_function" "sender" {
  function_name = "sender"
  role          = aws_iam_role.sender.arn
  dead_letter_config {
    target_arn = aws_sqs_queue.closed.arn
  }
}
resource "aws_sns_topic_subscription" "sender" {
  topic_arn      = aws_sns_topic.orders.arn
  protocol       = "lambda"
  endpoint       = aws_lambda_function.sender.arn
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.closed.arn })
}
resource "aws_sfn_state_machine" "fulfil" {
  name       = "fulfil"
  role_arn   = aws_iam_role.sender.arn
  definition = jsonencode({ StartAt = "Done", States = { Done = { Type = "Succeed" } } })
}
resource "aws_cloudwatch_event_target" "fulfil" {
  rule     = aws_cloudwatch_event_rule.placed.name
  arn      = aws_sfn_state_machine.fulfil.arn
  role_arn = aws_iam_role.sender.arn
}
resource "aws_cloudwatch_event_rule" "failed" {
  name = "failed"
  event_pattern = jsonencode({
    source = ["aws.states"]
    detail = { stateMachineArn = [aws_sfn_state_machine.fulfil.arn], status = ["FAILED"] }
  })
}
resource "aws_cloudwatch_event_target" "failed" {
  rule = aws_cloudwatch_event_rule.failed.name
  arn  = aws_sqs_queue.dlq.arn
}
