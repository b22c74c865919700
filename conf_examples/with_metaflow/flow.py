"""A flow whose steps take a whole config: fit a classifier of digits, and evaluate it."""

from metaflow import FlowSpec, JSONType, Parameter, step


class Digits(FlowSpec):
    config = Parameter("config", type=JSONType, help="what `python train.py --cfg job` prints, as JSON")

    @step
    def start(self):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        x, y = load_digits(return_X_y=True)
        self.train_x, self.test_x, self.train_y, self.test_y = train_test_split(
            x / 16, y, test_size=self.config["test_share"], random_state=0
        )
        self.next(self.fit)

    @step
    def fit(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.neighbors import KNeighborsClassifier

        kinds = {"linear": LogisticRegression, "neighbors": KNeighborsClassifier}
        model = dict(self.config["model"])
        self.model = kinds[model.pop("kind")](**model).fit(self.train_x, self.train_y)
        self.next(self.end)

    @step
    def end(self):
        self.metrics = {"accuracy": self.model.score(self.test_x, self.test_y)}


if __name__ == "__main__":
    Digits()
