from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel("Brand", [
            ("id", models.BigAutoField(primary_key=True, serialize=False)),
            ("title", models.CharField(max_length=50)),
        ]),
        migrations.CreateModel("Product", [
            ("id", models.BigAutoField(primary_key=True, serialize=False)),
            ("brand", models.ForeignKey("shop.Brand", models.CASCADE)),
            ("name", models.CharField(max_length=200, db_index=True)),
            ("price", models.FloatField()),
            ("stock", models.IntegerField(default=0)),
            ("related", models.ManyToManyField("self")),
        ]),
    ]
